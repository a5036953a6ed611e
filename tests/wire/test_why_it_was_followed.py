"""What the cloud said when it did not take a restart because it was busy already."""

from __future__ import annotations

import pytest

from bot.demo.cloud_http import modelarts
from bot.model import State
from tests.support.bot_world import Bench

RESTORED = modelarts(400, "ModelArts.6333", "Restoring.")
OPERATED = modelarts(400, "ModelArts.6357", "Operated.")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (RESTORED, ("is being restored by the cloud", "ModelArts.6333")),
        (OPERATED, ("is already busy", "ModelArts.6357")),
    ],
    ids=["restored after an overload", "operated"],
)
@pytest.mark.parametrize("ends", ["ACTIVE", "START_FAILED"])
async def test_its_sentence_and_code_are_in_the_message_and_at_the_end(
    bench: Bench, reply: object, words: tuple[str, ...], ends: str
) -> None:
    """Whoever reads why nothing was sent also reads what the cloud is busy with."""
    bench.fail("restart", reply=reply)
    bench.fail("read", times=2, adds={"status": "ACTIVE"})
    bench.cloud.put("trainer-7", "REBOOTING")
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.wait_for(lambda: any(words[1] in post.text for post in bench.posts()))
    shown = next(post for post in bench.posts() if words[1] in post.text)
    assert words[0] in shown.text
    bench.cloud.put("trainer-7", ends)
    record = await bench.story(delivery)
    assert record.state is (State.READY if ends == "ACTIVE" else State.FAILED)
    for text in (bench.followups()[-1].text, bench.now(shown).text, record.detail):
        assert all(word in text for word in words), text
    assert bench.sent == 1
