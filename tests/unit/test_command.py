"""What can be typed after the slash command."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import REASON_LIMIT
from bot.slack.command import (
    FORMS,
    NAMES,
    Can,
    Cancel,
    Command,
    Form,
    Help,
    History,
    List,
    Mistake,
    Restart,
    Several,
    Status,
    parse,
    plain,
    usage,
)

PIECES = st.sampled_from(
    [
        *NAMES,
        *"<>&|'\"“”‘’—–- \u00a0\u200b\u202e\ud800",
        "--break-glass",
        "<@U1|ann>",
        "<!subteam^S1>",
        "&lt;",
        "ml-prod",
        "trainer-7",
    ]
)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("restart ml-prod trainer-7", Restart("ml-prod", "trainer-7")),
        ("restart p i it is stuck", Restart("p", "i", "it is stuck")),
        ("restart", Restart()),
        ("restart p a,b", Several("p", ("a", "b"))),
        (
            "restart p a,b,a, c it is stuck",
            Several("p", ("a", "b", "c"), "it is stuck"),
        ),
        ("restart p a ,b stuck", Several("p", ("a", "b"), "stuck")),
        ("restart p “a, b” stuck", Several("p", ("a", "b"), "stuck")),
        ("restart p a，b", Several("p", ("a", "b"))),
        ("restart p trainer-*", Several("p", ("trainer-*",))),
        ("restart p t-[12],t-? x", Several("p", ("t-[12]", "t-?"), "x")),
        (
            "restart p a,b --break-glass x",
            Several("p", ("a", "b"), "x", break_glass=True),
        ),
        ("restart p a,", Restart("p", "a")),
        ("restart p a once, then again", Restart("p", "a", "once, then again")),
        ("restart p", Restart("p")),
        ("status p i", Status("p", "i")),
        ("list p", List("p")),
        ("history", History()),
        ("history p", History("p")),
        ("history p i", History("p", "i")),
        ("can p i", Can("p", "i")),
        ("cancel p i", Cancel("p", "i")),
        ("help", Help()),
        ("", Help()),
        (" \u00a0 ", Help()),
        ("RESTART p i", Restart("p", "i")),
        ("--help", Help()),
    ],
)
def test_every_command_is_understood(text: str, command: Command):
    """Every command means what it says, in capitals or not."""
    assert command == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "restart “ml-prod” ‘trainer-7’",
        'restart "ml-prod" "trainer-7"',
        "restart 'ml-prod' `trainer-7`",
        "restart\u00a0ml-prod\u2003trainer-7",
        "restart\nml-prod\ttrainer-7",
        "\ufeffrestart ml-\u200bprod trainer\u200d-7",
        "restart ml–prod trainer‑7",
        "ｒestart ｍｌ－ｐｒｏｄ trainer-７",
    ],
)
def test_what_phones_type_is_understood(text: str):
    """Curly quotes, odd spaces, long dashes and unseen characters change no name."""
    assert Restart("ml-prod", "trainer-7") == parse(text)


def test_quotes_keep_words_of_a_name_together():
    """A name in quotes may hold a blank, so that its mistake is seen as a whole."""
    assert Restart("ml prod", "i") == parse('restart "ml prod" i')


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("it's   stuck,  isn't\u00a0it", "it's stuck, isn't it"),
        ("“again” — like ‘before’", "“again” — like ‘before’"),
        ('say "why', 'say "why'),
        ("memory ½ full", "memory ½ full"),
        ("--force did not help", "--force did not help"),
        ("stuck —breaking everything", "stuck —breaking everything"),
        ("ask <@U1|ann> in <#C1|ops>", "ask @ann in #ops"),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("r\u202eeversed", "reversed"),
        ("👩\u200d💻 asked", "👩\u200d💻 asked"),
    ],
)
def test_the_reason_is_kept_as_typed(typed: str, reason: str):
    """Everything after the instance is the reason, in the person's own words."""
    assert Restart("p", "i", reason) == parse(f"restart p i {typed}")


@pytest.mark.parametrize(
    "text",
    [
        "restart p i fire in {} the rack",
        "restart {} p i fire in the rack",
        "restart p {} i fire in the rack",
        "{} restart p i fire in the rack",
        "restart p i fire in the rack {}",
    ],
)
@pytest.mark.parametrize(
    "flag", ["--break-glass", "—break-glass", "–Break–Glass", "--BREAK_GLASS"]
)
def test_break_glass_may_stand_anywhere(text: str, flag: str):
    """The flag is found wherever it stands, with whatever dashes a phone makes."""
    wanted = Restart("p", "i", "fire in the rack", break_glass=True)

    assert wanted == parse(text.format(flag))


@pytest.mark.parametrize(
    "text",
    [
        "restart p i fire --brek-glass",
        "restart p i fire —break-glas",
        "restart --breakglss p i",
        "restart p i --break-glass, quick",
    ],
)
def test_a_misspelt_flag_is_not_taken_for_a_reason(text: str):
    """Who misspells the flag is asked, instead of waiting for an approval unaware."""
    answer = parse(text)

    assert isinstance(answer, Mistake)
    assert answer.guess == "--break-glass"


def test_an_unknown_flag_is_no_name():
    """A flag that does not exist is not taken for a project."""
    answer = parse("restart --force p i")

    assert answer == Mistake(
        'There is no flag "--force"; the only one is --break-glass.'
    )


@pytest.mark.parametrize(
    "text", ["status p i --break-glass", "--break-glass", "help —break-glass"]
)
def test_only_a_restart_breaks_the_glass(text: str):
    """The flag on any other command is explained, not ignored."""
    answer = parse(text)

    assert isinstance(answer, Mistake)
    assert "--break-glass goes with a restart only" in answer.sentence


@pytest.mark.parametrize(
    ("typed", "guess"),
    [
        ("restrat p i", "restart"),
        ("Statsu p i", "status"),
        ("cancle p i", "cancel"),
        ("hlep", "help"),
        ("xyzzy", ""),
    ],
)
def test_an_unknown_word_is_guessed(typed: str, guess: str):
    """A near miss is guessed, anything else leads to the help."""
    answer = parse(typed)

    assert isinstance(answer, Mistake)
    assert (guess, True) == (answer.guess, "/mlstudio help" in answer.sentence)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.usage)
def test_what_the_help_lists_is_understood(form: Form):
    """Typed as the help says, with and without what is optional, it is that command."""
    typed = form.usage.replace("<instance>,<instance>", "a,b").replace("@user", "<@U1>")
    typed = typed.replace("<project>|all", "all").replace("<until>", "2h")
    brief = re.sub(r"\[.*?\]", "", typed)

    for text in (typed.translate(str.maketrans("[]…", "   ")), brief):
        command = parse(re.sub(r"<(project|instance)>", r"\1", text))
        assert type(command) is form.command


@pytest.mark.parametrize(
    "text", ["status", "status p", "list", "can", "can p", "can <@U1> p", "cancel p"]
)
def test_missing_names_are_answered_with_the_usage(text: str):
    """Who leaves out a name is told how the command is typed."""
    answer = parse(text)

    assert isinstance(answer, Mistake)
    assert (
        answer.sentence
        == f"A name is missing: type /mlstudio {usage(text.partition(' ')[0])}"
    )


@pytest.mark.parametrize(
    "text", ["status p i x", "list p x", "history p i x", "can p i x", "cancel p i x"]
)
def test_extra_words_are_not_ignored(text: str):
    """A word too many is named, together with the usage."""
    answer = parse(text)

    assert isinstance(answer, Mistake)
    assert answer.sentence.startswith('The word "x" is one too many: type /mlstudio')


@pytest.mark.parametrize(
    "name",
    ["<@U1|ann lee>", "<#C1|x>", "<http://ml.dev|ml.dev>", "&lt;x&gt;", "a<b", "＜x"],
)
@pytest.mark.parametrize(
    "text", ["restart {} i", "restart p {}", "status p {}", "list {}"]
)
def test_a_mention_or_link_is_no_name(text: str, name: str):
    """What Slack formats is refused as a name, never stripped to something else."""
    answer = parse(text.format(name))

    assert isinstance(answer, Mistake)
    assert "cannot be a mention or a link" in answer.sentence


@pytest.mark.parametrize(
    "text", ["can <@U1|ann> p i", "can p <@U1> i", "can p i <@U1|ann lee>"]
)
def test_can_takes_the_user_anywhere(text: str):
    """The user asked about may stand before, between or after the names."""
    assert Can("p", "i", "U1") == parse(text)


def test_can_refuses_a_name_that_anybody_can_copy():
    """An @name that Slack did not resolve is explained: only an id is a person."""
    answer = parse("can @ann p i")

    assert isinstance(answer, Mistake)
    assert "pick the person from the list" in answer.sentence


def test_can_asks_about_one_user():
    """Two users at once are refused."""
    answer = parse("can <@U1> <@U2> p i")

    assert isinstance(answer, Mistake)
    assert answer.sentence.startswith("Only one user")


def test_a_long_reason_is_refused_with_the_count():
    """A reason of the greatest length is taken; a longer one is counted, not cut."""
    most = "x" * REASON_LIMIT

    assert Restart("p", "i", most) == parse(f"restart p i {most}")
    answer = parse(f"restart p i {most}x")
    assert isinstance(answer, Mistake)
    assert "3001 characters, and at most 3000" in answer.sentence


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<@U1|ann>", "@ann"),
        ("<@U1>", "@U1"),
        ("<#C1|ops>", "#ops"),
        ("<#C1|>", "#C1"),
        ("<!subteam^S1|@oncall>", "@oncall"),
        ("<!subteam^S1>", "@S1"),
        ("<!here>", "@here"),
        ("<!date^1^{date}|today>", "today"),
        ("<http://a|b>", "http://a"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("&lt;@U1&gt; &amp;lt;", "<@U1> &lt;"),
    ],
)
def test_markup_becomes_words(markup: str, words: str):
    """Markup in a reason is kept as the words that the person saw."""
    assert words == plain(markup)


@given(
    st.one_of(st.text(), st.lists(PIECES).map(" ".join), st.lists(PIECES).map("".join))
)
def test_anything_typed_is_a_command_or_a_mistake(text: str):
    """Whatever is typed is understood or explained in one line, never an exception."""
    answer = parse(text)

    assert isinstance(answer, Command)
    if isinstance(answer, Mistake):
        assert answer.sentence.isprintable()
        assert len(answer.sentence) < 200
    if isinstance(answer, Restart):
        assert len(answer.reason) <= REASON_LIMIT
        assert "<" not in answer.project + answer.instance


@given(st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True), st.text())
def test_no_reason_changes_the_instance(name: str, reason: str):
    """Whatever the reason, the names before it are taken as typed."""
    answer = parse(f"restart {name} {name} {reason}")

    if isinstance(answer, Restart):
        assert (name, name) == (answer.project, answer.instance)
