"""Every sentence and every block the bot says: pure functions of the model.

What a person typed and what the cloud says freely only ever stands in plain_text
objects, escaped; in mrkdwn stand our own words, mentions, dates and configured names.
"""
