"""The configuration to start from, which ``init`` writes."""

from __future__ import annotations

STARTER = r"""# Configuration of mlstudio-bot.
#
# What is not set here is shown with "#" and its default. Check the file with
# "mlstudio-bot check", try a rule with "mlstudio-bot explain USER PROJECT INSTANCE".
# Durations are "500ms", "10s", "15m", "2h" or "7d".
#
# Secrets never stand here. Set them in the environment, or set NAME_FILE to a file:
#   SLACK_BOT_TOKEN (xoxb-...), SLACK_APP_TOKEN (xapp-..., socket mode),
#   SLACK_SIGNING_SECRET (http mode), OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME
#   (auth "token"), HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK (auth "aksk").

# "postgresql://user@host/database" for several replicas; its password goes into
# PGPASSWORD or PGPASSFILE.
database = "sqlite:///mlstudio-bot.db"
# max_parallel = 3                  # several asked for in one go: so many at a time
# canary = "5m"                     # how often to prove that Slack reaches the bot and
#                                   # that the cloud login works; unready while not
# retention = "90d"                 # finished requests are kept that long

[slack]
mode = "socket"                     # or "http"
# api_url = "https://slack.com/api/"
# listen = "127.0.0.1:3000"         # http mode: POST /slack/events
# public_url = ""                   # http mode: where Slack sends to; for the canary

[server]                            # GET /livez, /readyz, /metrics; remove for none
listen = "127.0.0.1:8080"

[cloud]
auth = "token"                      # or "aksk"
iam_url = "https://iam.eu-de.otc.t-systems.com/v3"
modelarts_url = "https://modelarts.eu-de.otc.t-systems.com"
# signature = "access"              # auth "aksk": or "credential", with
# region = "eu-de"                  # its region
# service = "modelarts"             # and service (both may be empty)
# cloud = ""                        # an entry of clouds.yaml: login, iam_url,
#                                   # modelarts_url as far as they are not set
# calls_per_minute = 60

[watch]
# poll = "10s"                      # longest wait between two looks
# settle = "5s"                     # ready counts this long after the restart
# timeout = "30m"                   # then the status that still stands is told
# lost = "60s"                      # unanswered restart: no trace of it until then
# unchanged = "120s"                # answered restart: no change of status until then

# [projects.NAME]: the name that people type, and the id that the cloud gave it.
# auth, iam_url, modelarts_url and cloud may be set for one project here.
[projects.ml-prod]
id = "00000000000000000000000000000000"

# Names for instances; ids work without an entry.
[projects.ml-prod.instances]
trainer-7 = "00000000-0000-0000-0000-000000000000"

# The first rule that matches decides; where none matches, nobody may.
# who: user ids (U..., W...), user groups (S... or @handle), "*" = every full member.
# projects, instances: glob patterns, omitted = all. channels: ids, omitted = anywhere.
#
# [[rules]]
# name = "gated boxes need a lead"
# who = ["@ml-oncall", "U024BE7LH"]
# projects = ["ml-prod"]
# instances = ["gated-*"]
# channels = ["C0INCIDENTS"]
# reason = "required"               # default "optional"
# reason_pattern = "INC-\\d+"
# cooldown = "10m"                  # no second restart of an instance within this time
# deny = false                      # true: a match refuses
# approval = { by = ["@ml-leads"], needed = 1, expires = "30m", break_glass = ["@sre"] }

[[rules]]
name = "every member may restart trainers"
who = ["*"]
projects = ["ml-prod"]
instances = ["trainer-*"]
"""
