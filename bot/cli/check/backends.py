"""Whether the database and the cloud can be reached, and what is amiss there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from bot.cli.check.instances import Instances, mending
from bot.cli.check.line import (
    Asking,
    Line,
    bad,
    failed,
    good,
    not_asked,
    skipped,
)
from bot.cloud import Cloud
from bot.config import Settings
from bot.errors import BotError, CloudError
from bot.ledger.files import exposed
from bot.ledger.migration import missing
from bot.ledger.postgres import is_postgres
from bot.ledger.preconditions import unmet
from bot.ledger.schema import engine_of, shown, url_of
from bot.network import Network

MOST_SKEW_S = 60.0  # beyond, tokens and signatures begin to be refused
_LOGINS = {
    "token": "OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME and iam_url",
    "aksk": "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK",
}


# --- the database --------------------------------------------------------------------


async def database_line(database: str) -> Line:
    """Return whether *database* can be reached, and is all that ``run`` needs."""
    if is_postgres(database):
        named = f"the database {shown(database)}"
        try:
            if why := await unmet(database):
                return bad(f"{named}: {why.fault}", why.remedy)
        except BotError as error:
            return bad(f"{named}: {error}", _remedy(error))
    return await asyncio.to_thread(_database_line, database)


def _remedy(error: BotError) -> str:
    if "read-only" in str(error):  # libpq's word
        return "name the primary, or all hosts: postgresql://user@host1,host2/database"
    return "mend database = …, or what it points to"


def _database_line(database: str) -> Line:
    file = None if is_postgres(database) else Path(url_of(database).database or "")
    if file and not file.exists():
        return _new_file(file)
    named = f"the database {shown(database)}"
    engine = engine_of(database)
    try:
        with engine.connect() as connection:
            lacking = missing(connection)
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        return bad(f"{named}: {cause}", "mend database = …, or what it points to")
    finally:
        engine.dispose()
    added = f" (the next start adds {lacking})" if lacking else ""
    return good(f"{named} answers{added}{_exposed(file) if file else ''}")


def _exposed(file: Path) -> str:
    """Return what to say of files that every user of this machine may read."""
    # No ✗: it works, and who else is on this machine is for its owner to know.
    names = " ".join(map(str, exposed(file)))
    return f"; but every user here can read it: chmod 600 {names}" if names else ""


def _new_file(path: Path) -> Line:
    """Return whether the database file, which is not there yet, could be made."""
    folder = path.resolve().parent
    if not folder.is_dir():
        return bad(
            f"the database {path}: there is no folder {folder}",
            "make the folder, or mend database = …",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return bad(
            f"the database {path}: the folder {folder} cannot be written",
            "let the bot's user write there, or mend database = …",
        )
    return good(f"the database {path} will be made at the first start")


# --- the cloud -----------------------------------------------------------------------


async def cloud_lines(
    settings: Settings, cloud: Cloud, network: Network, asking: Asking
) -> AsyncIterator[Line]:
    """Yield for each project its login, itself and its aliases; last, our clock."""
    owners: set[str] = set()
    unasked: set[str] = set()
    for project, own in settings.projects.items():
        asking(f"{project}: the login")
        line = await login_line(settings, cloud, network, project)
        yield line
        if line.ok:
            way = network.way(settings.endpoint(project).modelarts_url)
            line = await project_line(cloud, project, way)
            yield line
        else:
            yield not_asked(f"{project}: ModelArts was", "mend the login")
        if line.ok:
            instances = Instances(settings, cloud, project, owners, asking)
            async for line in instances.lines():
                yield line
            continue
        unasked.add(project)
        for alias in own.instances:
            yield not_asked(f"{project}/{alias} was", f"mend {project}")
        if own.discover:
            yield not_asked(f"{project}: the cloud's names were", f"mend {project}")
    if settings.owners and unasked:
        mend = f"mend {' and '.join(sorted(unasked))}"
        yield not_asked("whose the instances are was", mend)
    elif settings.owners:
        yield _owners_line(owners - set(settings.owners))
    skews = [cloud.skew_s(project) for project in settings.projects]
    for skew in sorted((s for s in skews if s is not None), key=abs)[-1:]:
        yield _clock_line(skew)


async def login_line(
    settings: Settings, cloud: Cloud, network: Network, project: str
) -> Line:
    """Return whether the cloud lets the bot in to *project*."""
    point = settings.endpoint(project)
    try:
        await cloud.log_in(project)
    except CloudError as error:
        mend = mending(error, f"set {_LOGINS[point.auth]} right")
        asked = point.iam_url if point.auth == "token" else point.modelarts_url
        what = f"{project}: the login failed"
        return failed(what, error, mend, network.way(asked))
    return good(f"{project}: the login works")


async def project_line(cloud: Cloud, project: str, way: str) -> Line:
    """Return whether ModelArts answers for *project*; *way* leads to its host."""
    try:
        await cloud.prove(project)
    except CloudError as error:
        mend = (
            f"mend projects.{project}.id or modelarts_url, or give the bot's user the"
            " permission modelarts:notebook:get"
        )
        return failed(project, error, mending(error, mend), way)
    return good(f"{project}: ModelArts answers")


def _owners_line(unknown: set[str]) -> Line:
    """Return whose instances nobody could be told about."""
    names = ", ".join(sorted(filter(None, unknown)))
    if not names:
        return good("every owner of an instance is in [owners]")
    return skipped(
        f"[owners] does not know {names}: they are not told when their instances are"
        " restarted",
        "add a line for each of them to [owners]: its name in the cloud, and its id in"
        " Slack",
    )


def _clock_line(skew_s: float) -> Line:
    if abs(skew_s) <= MOST_SKEW_S:
        return good("this machine's clock agrees with the cloud's")
    way = "ahead of" if skew_s > 0 else "behind"
    return bad(
        f"this machine's clock is {abs(skew_s):.0f} s {way} the cloud's",
        "let NTP set the clock: logins and signatures hang on it",
    )
