"""The demo's page in a real Chromium, against a stand-in server with canned blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.support import chromium
from tests.support.page_server import BOT, CHANNEL, Json, PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

browser = chromium.browser
HOSTILE = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"


def plain(text: str) -> Json:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": text}


def markup(text: str) -> Json:
    """Return a mrkdwn object."""
    return {"type": "mrkdwn", "text": text}


def option(value: str, **more: Any) -> Json:
    """Return an option that is called what it is worth."""
    return {"text": plain(value), "value": value, **more}


def button(label: str, **more: Any) -> Json:
    """Return a button whose action id is its label in lower case."""
    name = label.lower()
    return {
        "type": "button",
        "action_id": name,
        "value": f"{name}-1",
        "text": plain(label),
    } | more


def actions(*elements: Json) -> list[Json]:
    """Return one block of actions."""
    return [{"type": "actions", "block_id": "acts", "elements": list(elements)}]


def asked(block_id: str, element: Json, **more: Any) -> Json:
    """Return an input block whose element has the same id."""
    label = plain(block_id.title())
    element = {"action_id": block_id, **element}
    return {"type": "input", "block_id": block_id, "label": label} | {
        "element": element,
        **more,
    }


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[PageServer]:
    """A fresh stand-in for the demo's server."""
    async with PageServer() as server:
        yield server


async def connected(page: Page) -> None:
    """Return when a page that was just loaded hears what the server tells."""
    await expect(page.locator("#side")).to_contain_text("You are")


class Opened:
    """Opens pages of a server and collects what went wrong in them."""

    def __init__(self, browser: Browser, server: PageServer) -> None:
        self.browser = browser
        self.server = server
        self.contexts: list[Any] = []
        self.problems: list[str] = []
        self.requests: list[str] = []

    async def __call__(self, *, person: str = "", **context: Any) -> Page:
        """Return a page that is connected, with somebody chosen."""
        settings = {"viewport": {"width": 1440, "height": 900}, **context}
        self.contexts.append(await self.browser.new_context(**settings))
        page: Page = await self.contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        await page.goto(self.server.url + (f"#user={person}" if person else ""))
        await connected(page)
        return page

    async def close(self) -> None:
        """Close all pages; none may have raised an error or called out."""
        for context in self.contexts:
            await context.close()
        own = (self.server.url, "data:")
        elsewhere = [url for url in self.requests if not url.startswith(own)]
        assert self.problems == []
        assert elsewhere == []


@pytest_asyncio.fixture(loop_scope="module")
async def opened(browser: Browser, server: PageServer) -> AsyncIterator[Opened]:
    """What opens pages; a test fails whose page raised an error or called out."""
    opened = Opened(browser, server)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(opened: Opened) -> Page:
    """A wide window with Ann on call."""
    return await opened()


def body(page: Page) -> Any:
    """Return the newest message's body in the channel."""
    return page.locator("#feed .row .body").last


def box(page: Page) -> Any:
    """Return the box to type in."""
    return page.get_by_role("textbox", name="Message", exact=True)


# --- what a stranger sees first ------------------------------------------------------


async def test_first_command_is_ready(page: Page, server: PageServer):
    """A stranger can press Enter at once and has restarted something."""
    await expect(box(page)).to_be_focused()
    await page.keyboard.press("Enter")

    sent = await server.posted("/ui/command")

    text = "/mlstudio restart ml-prod trainer-7 loss is NaN since noon"
    assert {"user": "U0ANN", "channel": CHANNEL, "text": text} == sent
    await expect(box(page)).to_have_value("")


async def test_examples_fill_the_box(page: Page):
    """One click on an example puts it into the box, ready to be sent or changed."""
    await page.get_by_role("button", name="Ask for an approval").click()

    await expect(box(page)).to_have_value(
        "/mlstudio restart ml-prod gated-1 INC-4711 driver hangs"
    )
    await expect(box(page)).to_be_focused()


# --- words ---------------------------------------------------------------------------

STRONG = "<strong>{}</strong>".format
WORDS = {
    "*bold* _it_ ~s~": f"{STRONG('bold')} <em>it</em> <s>s</s>",
    "*_both_*": STRONG("<em>both</em>"),
    "snake_case_name 2*3*4 a * b *": "snake_case_name 2*3*4 a * b *",
    "`*code* &lt;x&gt;`": "<code>*code* &lt;x&gt;</code>",
    "a\n```x *y*\nz```\nb": "a<pre>x *y*\nz</pre>b",
    "&gt; quoted\nnot": "<blockquote>quoted</blockquote>not",
    "a\nb": "a<br>b",
    "&amp;lt; &lt;b&gt; &nbsp;": "&amp;lt; &lt;b&gt; &amp;nbsp;",
    "<@U0ANN> <@U0BOB>": '<span class="mention mine">@ann</span> '
    '<span class="mention">@bob</span>',
    "<!subteam^S0LEADS>": '<span class="mention">@ml-leads</span>',
    "<#C0MLOPS>": '<span class="mention">#ml-ops</span>',
    "<!here>": '<span class="mention mine">@here</span>',
    "<!date^x^{time}|5 o'clock>": "<time>5 o'clock</time>",
    "*<https://a.example/x_y_z?a=1&amp;b|A &lt; B>*": STRONG(
        '<a href="https://a.example/x_y_z?a=1&amp;b" target="_blank" '
        'rel="noopener noreferrer">A &lt; B</a>'
    ),
    ":white_check_mark: :nothing_known: 12:30:00": '<span class="emoji" role="img" '
    'aria-label="white check mark" title=":white_check_mark:">✅</span> '
    ":nothing_known: 12:30:00",
    "<javascript:alert(1)|x>": "&lt;javascript:alert(1)|x&gt;",
    "<b onclick=x>y</b>": "&lt;b onclick=x&gt;y&lt;/b&gt;",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reading(browser: Browser) -> AsyncIterator[tuple[Page, PageServer]]:
    """One page for all that is only said and read."""
    async with PageServer() as server:
        opened = Opened(browser, server)
        yield await opened(), server
        await opened.close()


@pytest.mark.parametrize(("source", "html"), WORDS.items(), ids=WORDS)
async def test_mrkdwn(reading: tuple[Page, PageServer], source: str, html: str):
    """Mark-up looks as in Slack; what is not mark-up stays the words that it is."""
    page, server = reading
    said = await server.say(source)
    row = page.locator(f"[data-ts='{said['ts']}'] .b-text")

    assert await row.inner_html() == html


async def test_dates(page: Page, server: PageServer):
    """A date is shown in the reader's own time, and as today where it is today."""
    now = int(time.time())
    await server.say(f"<!date^{now}^{{date_short_pretty}} at {{time}}|never>")

    await expect(body(page)).to_contain_text("Today at ")


async def test_nothing_foreign_becomes_html(page: Page, server: PageServer):
    """Whatever somebody types or a name holds, it is only ever text."""
    server.state["people"][1]["real_name"] = HOSTILE
    text = {"type": "section", "block_id": "s", "text": plain(HOSTILE)}
    await page.reload()
    await connected(page)
    await server.say(HOSTILE, [text, {**text, "text": markup(HOSTILE)}])
    await server.say(HOSTILE, user="U0BOB")
    await server.whisper("U0ANN", HOSTILE)

    await expect(page.locator("#feed .row.whisper")).to_be_visible()

    assert await page.locator("img, body script").count() == 0
    assert await page.evaluate("window.pwned === undefined")


# --- blocks --------------------------------------------------------------------------


async def test_layout_blocks(page: Page, server: PageServer):
    """Header, section, fields, context, divider, table and rich text are drawn."""
    part = {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]}
    rich = [
        {"type": "rich_text_list", "style": "ordered", "elements": [part]},
        {
            "type": "rich_text_quote",
            "elements": [
                {"type": "text", "text": "bold", "style": {"bold": True}},
                {"type": "user", "user_id": "U0ANN"},
                {"type": "usergroup", "usergroup_id": "S0LEADS"},
                {"type": "emoji", "name": "bell"},
                {"type": "link", "url": "javascript:alert(1)", "text": "trap"},
            ],
        },
        {
            "type": "rich_text_preformatted",
            "elements": [{"type": "text", "text": "a <b>"}],
        },
    ]
    rows = [[{"type": "raw_text", "text": t} for t in row] for row in ("AB", "12")]
    await server.say(
        "x",
        [
            {"type": "header", "text": plain("Head *not bold*")},
            {"type": "section", "text": plain("two\n*lines*")},
            {"type": "section", "fields": [markup("*left*"), plain("right")]},
            {"type": "context", "elements": [markup("small _print_")]},
            {"type": "divider"},
            {"type": "rich_text", "elements": rich},
            {"type": "table", "rows": rows},
            {"type": "hologram"},
        ],
    )

    shown = body(page)

    await expect(shown.locator("h3")).to_have_text("Head *not bold*")
    await expect(shown.locator(".b-text")).to_have_text("two\n*lines*")
    await expect(shown.locator(".b-fields > div")).to_have_text(["left", "right"])
    await expect(shown.locator(".b-context em")).to_have_text("print")
    await expect(shown.locator("hr")).to_have_count(1)
    await expect(shown.locator("ol > li")).to_have_text("one")
    await expect(shown.locator("blockquote")).to_have_text("bold@ann@ml-leads🔔trap")
    await expect(shown.locator("a")).to_have_count(0)
    await expect(shown.locator("pre")).to_have_text("a <b>")
    await expect(shown.locator("td")).to_have_text(["1", "2"])
    await expect(shown.locator(".unknown")).to_contain_text("hologram")


async def test_images_are_not_fetched_from_elsewhere(page: Page, server: PageServer):
    """The page shows the words of a foreign image instead of calling out for it."""
    url = "https://pictures.example/a.png"
    await server.say("x", [{"type": "image", "image_url": url, "alt_text": "a graph"}])

    await expect(body(page)).to_contain_text("Image: a graph")


async def test_button_is_sent_after_its_confirmation(page: Page, server: PageServer):
    """A button asks first where it says so; no sends nothing, yes sends the click."""
    sure = {k: plain(k) for k in ("title", "text", "confirm", "deny")}
    said = await server.say("x", actions(button("Approve", confirm=sure)))

    await page.get_by_role("button", name="Approve").click()
    await page.get_by_role("button", name="deny").click()
    await page.get_by_role("button", name="Approve").click()
    await page.get_by_role("button", name="confirm").click()
    sent = await server.posted("/ui/action")

    action = {"type": "button", "action_id": "approve", "block_id": "acts"}
    action |= {"text": plain("Approve"), "value": "approve-1"}
    where = {"user": "U0ANN", "channel": CHANNEL, "message_ts": said["ts"]}
    assert {**where, "action": action, "values": {}} == sent
    assert server.posts == []


async def test_selects_and_overflow_are_sent(page: Page, server: PageServer):
    """Choosing in a select or a menu sends the whole option that was chosen."""
    options = [option("one"), option("two")]
    select = {"type": "static_select", "action_id": "pick", "options": options}
    menu = {"type": "overflow", "action_id": "more", "options": options}
    await server.say("x", actions(select, menu))

    await body(page).locator("select").select_option("two")
    picked = await server.posted("/ui/action")
    await body(page).get_by_role("button", name="More actions").click()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    chosen = await server.posted("/ui/action")

    assert options[1] == picked["action"]["selected_option"]
    assert options[1] == chosen["action"]["selected_option"]


async def test_button_for_some_is_hidden_from_others(page: Page, server: PageServer):
    """A button that is meant for some people only is not shown to the others."""
    await server.say(
        "x",
        actions(
            button("Mine", visible_to_user_ids=["U0ANN"]),
            button("Theirs", visible_to_user_ids=["U0BOB"]),
        ),
    )

    await expect(body(page).get_by_role("button")).to_have_text(["Mine"])


# --- messages ------------------------------------------------------------------------


async def test_edit_replaces_the_message(page: Page, server: PageServer):
    """An edited message changes in its place, says so, and keeps the focus in it."""
    said = await server.say("before", actions(button("Stop")))
    await page.get_by_role("button", name="Stop").focus()
    again = [
        {"type": "section", "text": plain("after")},
        *actions(button("Stop", style="danger")),
    ]
    await server.say("after", again, ts=said["ts"], edited="1.0")

    row = page.locator("#feed .row")

    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("after")
    await expect(row.locator(".edited")).to_have_text("(edited)")
    await expect(page.locator("#feed .danger")).to_be_focused()


async def test_deleted_message_goes(page: Page, server: PageServer):
    """A deleted message is no longer shown."""
    said = await server.say("gone soon")
    await expect(body(page)).to_have_text("gone soon")
    await server.say("", ts=said["ts"], deleted=True)

    await expect(page.locator("#feed .row")).to_have_count(0)


async def test_thread(page: Page, server: PageServer):
    """A thread opens beside the channel, takes replies, and Esc closes it."""
    root = await server.say("root")
    await server.say("hidden reply", thread_ts=root["ts"])
    await server.say("shown reply", thread_ts=root["ts"], reply_broadcast=True)
    rows = page.locator("#feed .row .body")
    await expect(rows).to_have_text(["root", "shown reply"])

    await page.get_by_role("button", name="2 replies").click()
    thread = page.get_by_label("Thread", exact=True)
    await expect(thread.locator(".body")).to_have_text(
        ["root", "hidden reply", "shown reply"]
    )
    await page.keyboard.type("thanks")
    await page.keyboard.press("Enter")
    sent = await server.posted("/ui/say")

    assert (root["ts"], "thanks") == (sent["thread_ts"], sent["text"])
    await page.keyboard.press("Escape")
    await expect(thread).to_be_hidden()


async def test_stays_at_the_end(page: Page, server: PageServer):
    """Who is at the end of the talk stays there, also when a thread takes room."""
    root = await server.say("root")
    for _ in range(12):
        await server.say("many words " * 60)
    await server.say("the last", thread_ts=root["ts"], reply_broadcast=True)
    await expect(body(page)).to_be_in_viewport()
    await page.get_by_role("button", name="Open it").click()
    await expect(page.get_by_label("Thread", exact=True)).to_be_visible()

    await expect(body(page)).to_be_in_viewport()


async def test_whisper_is_for_one_person(page: Page, server: PageServer):
    """A private answer is marked, seen by one person only, and can change and go."""
    key = await server.whisper("U0ANN", "only for you")
    await server.whisper("U0BOB", "for Bob")
    row = page.locator("#feed .row")
    await expect(row).to_contain_text(["Only visible to you"])
    await expect(row).to_have_count(1)

    event = {"type": "ephemeral", "user": "U0ANN", "channel": CHANNEL, "id": key}
    await server.send({**event, "message": {"user": BOT, "text": "changed"}})
    await expect(body(page)).to_have_text("changed")
    await server.send({**event, "message": None})
    await expect(row).to_have_count(0)

    await page.get_by_text("Bob Lindqvist").click()
    await expect(body(page)).to_have_text("for Bob")


async def test_button_of_a_whisper(page: Page, server: PageServer):
    """A click in a private answer names that answer."""
    key = await server.whisper("U0ANN", blocks=actions(button("Go")))
    await page.get_by_role("button", name="Go").click()

    sent = await server.posted("/ui/action")

    assert (key, "go") == (sent["ephemeral_id"], sent["action"]["action_id"])


async def test_new_messages_are_read_out(page: Page, server: PageServer):
    """A screen reader is told who said what."""
    await server.say("*ready* <@U0ANN>")

    await expect(page.locator("#live")).to_have_text("mlstudio: ready @ann")


async def test_message_shortcut(page: Page, server: PageServer):
    """The menu of a message offers the bot's shortcut with that message."""
    said = await server.say("look at trainer-7", user="U0BOB")
    await page.locator("#feed .row").hover()
    await page.get_by_role("button", name="More message actions").click()
    await page.get_by_role("menuitem", name="Restart an instance").click()

    sent = await server.posted("/ui/shortcut")

    assert sent["callback_id"] == "restart_from_message"
    assert said["ts"] == sent["message_ts"]


# --- people --------------------------------------------------------------------------


async def test_be_somebody_else(page: Page, server: PageServer):
    """A number shows who was mentioned; choosing that person acts and sees as him."""
    await server.say("<!subteam^S0LEADS>: one of you", actions(button("Approve")))
    bob = page.locator(".person", has_text="Bob")
    await expect(bob.locator(".count")).to_have_text("1")
    await expect(page.locator(".person", has_text="Dave")).not_to_contain_text("1")

    await bob.click()
    await page.get_by_role("button", name="Approve").click()
    sent = await server.posted("/ui/action")

    assert sent["user"] == "U0BOB"
    await expect(bob.locator(".count")).to_have_count(0)
    await expect(page.locator("#side")).to_contain_text("leads-only")


async def test_people_see_only_their_channels(opened: Opened):
    """Somebody sees the channels that he is in, and the address can name him."""
    page = await opened(person="U0FRANK")

    await expect(page.locator(".channels").first.locator("li")).to_have_text(["ml-ops"])


async def test_invite(page: Page, server: PageServer):
    """Where the bot is missing, the page says so and invites it with one click."""
    await page.get_by_role("button", name="random").click()
    await page.get_by_role("button", name="Invite it").click()

    sent = await server.posted("/ui/command")

    assert (sent["channel"], sent["text"]) == ("C0RANDOM", "/invite @mlstudio")
    await server.send(
        {
            "type": "channel",
            "channel": {**server.state["channels"][2], "bot_is_member": True},
        }
    )
    await expect(page.get_by_role("button", name="Invite it")).to_have_count(0)


# --- typing --------------------------------------------------------------------------


async def test_completion(page: Page):
    """Tab completes the command, the project and the instance with its status."""
    await box(page).fill("")
    await box(page).press_sequentially("/mlstudio stat")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.type("note")
    await expect(page.get_by_role("option")).to_have_text(["notebook-2STOPPED"])
    await page.keyboard.press("Tab")

    await expect(box(page)).to_have_value("/mlstudio status ml-prod notebook-2 ")


async def test_arrow_up_brings_the_last_command(page: Page, server: PageServer):
    """Arrow up in the empty box brings back what was sent, the latest first."""
    for text in ("/mlstudio help", "hello"):
        await box(page).fill(text)
        await page.keyboard.press("Escape")
        await page.keyboard.press("Enter")
        await expect(box(page)).to_have_value("")
    await server.posted("/ui/say")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")

    await expect(box(page)).to_have_value("/mlstudio help")


async def test_the_next_is_sent_while_the_last_is_under_way(
    page: Page, server: PageServer
):
    """Enter sends, also when the answer to the last command is not there yet."""
    answered = asyncio.Event()

    async def later(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await page.route("**/ui/command", later, times=1)
    await box(page).fill("/mlstudio help")
    await page.keyboard.press("Enter")
    await box(page).fill("hello")
    await page.keyboard.press("Enter")

    assert (await server.posted("/ui/say"))["text"] == "hello"
    await expect(box(page)).to_have_value("")
    answered.set()
    await server.posted("/ui/command")


async def test_what_could_not_be_sent_stays(page: Page, server: PageServer):
    """When sending fails, a sentence says why and the text is still in the box."""
    server.answers["/ui/say"] = 503
    await box(page).fill("hello")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("could not be reached")
    await expect(box(page)).to_have_value("hello")


# --- dialogs -------------------------------------------------------------------------


def form() -> list[Json]:
    """Return a dialog with every kind of input."""
    options = [option("one"), option("two")]
    return [
        asked("project", {"type": "static_select", "options": options}),
        asked("instance", {"type": "external_select", "min_query_length": 0}),
        asked("reason", {"type": "plain_text_input", "multiline": True}),
        asked("extras", {"type": "checkboxes", "options": options}, optional=True),
        asked("where", {"type": "radio_buttons", "options": options}, optional=True),
    ]


async def test_dialog_is_filled_in_and_sent(page: Page, server: PageServer):
    """A dialog is sent as Slack's state values, with options searched in the app."""
    server.answers["/ui/options"] = {"options": [option("trainer-7"), option("t-8")]}
    await server.dialog("U0ANN", form())
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Project").select_option("two")
    await dialog.get_by_label("Instance").press_sequentially("t")
    found = dialog.get_by_role("listbox").get_by_role("option")
    await expect(found).to_have_text(["trainer-7", "t-8"])
    search = await server.posted("/ui/options")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await dialog.get_by_label("Reason").fill("INC-1")
    await dialog.get_by_label("two").first.check()
    await dialog.get_by_role("button", name="Restart").click()

    sent = await server.posted("/ui/view_submit")

    where = {"user": "U0ANN", "view_id": "V1"}
    asking = {"action_id": "instance", "block_id": "instance", "value": "t"}
    assert {**where, **asking} == search
    values = {
        "project": {"type": "static_select", "selected_option": option("two")},
        "instance": {"type": "external_select", "selected_option": option("t-8")},
        "reason": {"type": "plain_text_input", "value": "INC-1"},
        "extras": {"type": "checkboxes", "selected_options": [option("two")]},
        "where": {"type": "radio_buttons", "selected_option": None},
    }
    assert {**where, "values": {n: {n: v} for n, v in values.items()}} == sent
    await server.send({"type": "view", "user": "U0ANN", "view": None})
    await expect(dialog).to_be_hidden()


async def test_dialog_says_what_is_missing(page: Page, server: PageServer):
    """A required field that is empty is named at the field, and nothing is sent."""
    await server.dialog("U0ANN", form())
    await page.get_by_role("button", name="Restart", exact=True).click()

    field = page.get_by_label("Project")

    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(page.locator(".b-input .error")).to_have_count(3)
    assert server.posts == []


async def test_dialog_shows_the_errors_of_the_app(page: Page, server: PageServer):
    """The app's error stands at its field, and what was typed is still there."""
    server.answers["/ui/view_submit"] = {"ok": False, "errors": {"reason": "No INC."}}
    await server.dialog("U0ANN", [asked("reason", {"type": "plain_text_input"})])
    await page.get_by_label("Reason").fill("because")
    await page.keyboard.press("Enter")

    field = page.get_by_label("Reason")

    await expect(page.locator("[data-block=reason] .error")).to_have_text("No INC.")
    await expect(field).to_have_accessible_description("No INC.")
    await expect(field).to_have_value("because")


async def test_updated_dialog_keeps_what_was_typed(page: Page, server: PageServer):
    """When the app changes its dialog, inputs that stay keep their content."""
    reason = asked("reason", {"type": "plain_text_input"})
    await server.dialog("U0ANN", [reason])
    await page.get_by_label("Reason").fill("because")
    new = {"type": "section", "block_id": "s", "text": plain("new part")}
    await server.dialog("U0ANN", [new, reason])

    await expect(page.get_by_role("dialog")).to_contain_text("new part")
    await expect(page.get_by_label("Reason")).to_have_value("because")
    await expect(page.get_by_label("Reason")).to_be_focused()


async def test_choice_that_changes_the_dialog(page: Page, server: PageServer):
    """A choice that the app is told of stays chosen when the app redraws the dialog."""
    options = [option("one"), option("two")]
    select = {"type": "static_select", "options": options}
    await server.dialog("U0ANN", [asked("project", select, dispatch_action=True)])
    await page.get_by_label("Project").select_option("two")
    sent = await server.posted("/ui/action")
    new = {"type": "section", "block_id": "s", "text": plain("of two")}
    redrawn = [asked("project", select, dispatch_action=True), new]
    await server.dialog("U0ANN", redrawn)

    await expect(page.get_by_role("dialog")).to_contain_text("of two")
    await expect(page.get_by_label("Project")).to_have_value("two")
    assert options[1] == sent["action"]["selected_option"]
    assert options[1] == sent["values"]["project"]["project"]["selected_option"]


async def test_reload_shows_what_was_private(page: Page, server: PageServer):
    """After a reload the private answers and the open dialog are there again."""
    private = {"id": "1700000000.1", "channel": CHANNEL, "user": BOT, "text": "psst"}
    view = {"id": "V1", "type": "modal", "title": plain("Open still"), "blocks": []}
    server.state |= {"ephemerals": {"U0ANN": [private]}, "views": {"U0ANN": view}}
    await page.reload()

    await expect(page.get_by_role("dialog")).to_contain_text("Open still")
    await expect(body(page)).to_have_text("psst")


async def test_escape_closes_the_dialog(page: Page, server: PageServer):
    """Esc closes the dialog and tells the app; an open list is closed first."""
    server.answers["/ui/options"] = {"options": [option("trainer-7")]}
    await server.dialog("U0ANN", form())
    await page.get_by_label("Instance", exact=True).click()
    await expect(page.get_by_role("option", name="trainer-7")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("option", name="trainer-7")).to_be_hidden()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")

    await expect(page.get_by_role("dialog")).to_be_hidden()
    assert await server.posted("/ui/view_close") == {"user": "U0ANN", "view_id": "V1"}


async def test_home(page: Page, server: PageServer):
    """Opening the app's home asks for it; its buttons say that they are of the home."""
    await page.get_by_role("button", name="mlstudio").click()
    assert await server.posted("/ui/home") == {"user": "U0ANN"}
    view = {"id": "VH", "type": "home", "blocks": actions(button("Begin"))}
    await server.send({"type": "home", "user": "U0ANN", "view": view})
    await page.get_by_role("button", name="Begin").click()

    sent = await server.posted("/ui/action")

    assert (sent["home"], sent["action"]["action_id"]) == (True, "begin")


# --- the outside world ---------------------------------------------------------------


async def test_outside_world(page: Page, server: PageServer):
    """The panel follows the cloud and can slow it down, break it and kill the bot."""
    world = server.world
    world["instances"][0]["status"] = "REBOOTING"
    call = {"at": time.time(), "project": "p", "instance": "id-trainer-7"}
    statuses = {"restart": 0, "read": 200}
    world["calls"] = [{**call, "kind": k, "status": s} for k, s in statuses.items()]
    await server.send(world)
    panel = page.get_by_label("Outside world")

    await expect(panel.locator(".instances li").first).to_contain_text("REBOOTING")
    await expect(panel).to_contain_text("1 restart")
    await expect(panel.locator(".calls .restart")).to_contain_text("trainer-7")
    await expect(panel.locator(".calls .restart")).to_contain_text("cut off")

    orders = []
    for role, name in (
        ("button", "Fast ×5"),
        ("switch", "The restart’s answer gets lost"),
        ("button", "Kill it"),
    ):
        await panel.get_by_role(role, name=name).first.click()
        orders.append(await server.posted("/ui/outside"))
    assert (orders) == [
        {"speed": 5},
        {"fault": "lost_answer", "on": True},
        {"bot": "kill"},
    ]


async def test_a_notebook_is_stopped_by_hand(page: Page, server: PageServer):
    """Each notebook has a button that stops or starts it, and nothing else has one."""
    world = server.world
    box = {"project": "ml-nb", "alias": "nb-3", "id": "id-nb-3", "notebook": True}
    world["instances"] += [{**box, "status": "RUNNING"}]
    await server.send(world)
    panel = page.get_by_label("Outside world")

    await panel.get_by_role("button", name="Stop nb-3").click()
    assert await server.posted("/ui/outside") == {"box": "id-nb-3", "start": False}

    world["instances"][-1]["status"] = "STOPPED"
    await server.send(world)
    await panel.get_by_role("button", name="Start nb-3").click()
    assert await server.posted("/ui/outside") == {"box": "id-nb-3", "start": True}
    assert await panel.locator(".by-hand").count() == 1


async def test_a_shift_is_handed_over(page: Page, server: PageServer):
    """The panel shows who is on call and until when, and a click changes it."""
    people = [{"id": "PBOB", "name": "Bob Lindqvist"}, {"id": "PANN", "name": HOSTILE}]
    schedule = {"id": "P1", "name": "ML primary", "people": people}
    shown = {"on_call": ["PBOB"], "until": time.time() + 3600}
    await server.send({**server.world, "rota": [{**schedule, **shown}]})
    panel = page.get_by_label("Outside world").get_by_label("On call: ML primary")

    await expect(panel.get_by_role("button", pressed=True)).to_have_text("Bob")
    await expect(page.locator(".rota")).to_contain_text("until")
    await panel.get_by_role("button", name="Nobody").click()

    order = {"rota": {"schedule": "P1", "person": ""}}
    assert await server.posted("/ui/outside") == order
    assert not await page.evaluate("window.pwned")


async def test_dead_bot_is_announced(page: Page, server: PageServer):
    """While the bot is dead a line says so, and one click starts it again."""
    await server.send({**server.world, "bot": {"running": False, "starts": 1}})
    await expect(page.locator("#banner")).to_contain_text("not running")
    await page.get_by_role("button", name="Start it again").click()

    assert await server.posted("/ui/outside") == {"bot": "start"}


async def test_reconnects(page: Page, server: PageServer):
    """After the connection was lost the page comes back and shows what it missed."""
    await server.__aexit__()
    await expect(page.locator("#banner")).to_contain_text("Not connected")
    await server.say("said meanwhile")
    await server.__aenter__()

    await expect(body(page)).to_have_text("said meanwhile")
    await expect(page.locator("#banner")).to_be_hidden()


# --- windows and colours -------------------------------------------------------------


async def test_phone(opened: Opened, server: PageServer):
    """On a phone one panel is shown at a time, nothing is cut off at the side."""
    page = await opened(viewport={"width": 375, "height": 700}, has_touch=True)
    tabs = page.get_by_role("navigation", name="Panels")
    await expect(box(page)).to_be_visible()
    for name, panel in (("World", "#world"), ("People", "#side")):
        await tabs.get_by_role("button", name=name).click()
        await expect(page.locator(panel)).to_be_visible()
        await expect(page.locator("#main")).to_be_hidden()
    await page.get_by_text("Bob Lindqvist").click()
    await expect(page.locator("#main")).to_be_visible()

    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_colours(opened: Opened):
    """The page follows the system's colours until somebody chooses others."""
    page = await opened(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(ground)
    await page.get_by_role("button", name="Use light colours").click()
    light = await page.evaluate(ground)
    await page.reload()
    await expect(page.get_by_role("button", name="Use dark colours")).to_be_visible()

    assert (dark, light) == ("rgb(20, 24, 26)", "rgb(255, 255, 255)")
    assert light == await page.evaluate(ground)


async def test_quiet_for_whom_motion_disturbs(opened: Opened, server: PageServer):
    """Whoever asks for less motion gets messages that do not move."""
    page = await opened(reduced_motion="reduce")
    await server.say("hello")
    await expect(body(page)).to_have_text("hello")

    row = "document.querySelector('#feed .row')"

    assert await page.evaluate(f"getComputedStyle({row}).animationName") == "none"


# --- letters -------------------------------------------------------------------------

WIDTH = """family => {
  const line = document.createElement("span");
  line.textContent = "0123456789 0123456789";
  line.style = `position: absolute; font: 16px ${family}`;
  document.body.append(line);
  const { width } = line.getBoundingClientRect();
  line.remove();
  return width;
}"""


async def test_digits_are_letters_where_an_emoji_font_is_installed(page: Page):
    """Digits and blanks come from the text's font, not from one of emoji."""
    emoji = await page.evaluate(WIDTH, '"Noto Color Emoji", monospace')
    if emoji == await page.evaluate(WIDTH, "monospace"):
        pytest.skip("fonts-noto-color-emoji is not installed")
    family = await page.evaluate("getComputedStyle(document.body).fontFamily")

    width = await page.evaluate(WIDTH, family)

    assert width == await page.evaluate(WIDTH, "system-ui")
    assert width < emoji
