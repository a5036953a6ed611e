"""Notebooks, of the v1 API, which has no restart: they are stopped and started.

Every answer holds a ``token``, and addresses of the box: none of them is read.
https://support.huaweicloud.com/intl/en-us/api-modelarts/ShowNotebook.html
https://support.huaweicloud.com/intl/en-us/api-modelarts/StopNotebook.html
https://support.huaweicloud.com/intl/en-us/api-modelarts/StartNotebook.html
"""

from __future__ import annotations

from typing import Any

from bot.cloud.api import Call
from bot.cloud.schemas import FlavorAnswer, LeaseAnswer, NotebookAnswer
from bot.model import Act, Answer, AutoStop, Instance, Lease

NAME = "a notebook"
LIST = "notebooks/all"
FLAVORS = "notebooks/flavors"
RIGHTS = {LIST: "listAllNotebooks", FLAVORS: "listFlavors"}
NOTEBOOKS_A_PAGE = 50  # rows; the API takes 10, 20 or 50, and nothing else


def path(instance_id: str) -> str:
    """Return where a notebook is, below its project."""
    return f"notebooks/{instance_id}"


def call(act: Act, auto_stop: AutoStop) -> Call:
    """Return the call that carries out *act*.

    A start always says when the notebook is to stop by itself: one that says nothing
    would stop it after an hour.
    """
    if act is Act.STOP:
        return Call("POST", "/stop")
    if act is Act.START:
        return Call("POST", "/start", {}, lease_query(auto_stop))
    raise ValueError(f"{NAME} is stopped and started, not restarted")


def lease_query(auto_stop: AutoStop) -> dict[str, str]:
    """Return *auto_stop* as the API takes it."""
    query = {"duration": str(auto_stop.duration_ms)}
    return query | {"type": auto_stop.type} if auto_stop.type else query


def lease_body(auto_stop: AutoStop) -> dict[str, Any]:
    """Return *auto_stop* as a change of the lease takes it."""
    return lease_query(auto_stop) | {"duration": auto_stop.duration_ms}


def page_query(offset: int) -> dict[str, str]:
    """Return what asks for the page that begins after *offset* rows.

    Without a sort key the order of the rows is not said, and may change between pages.
    """
    return {
        "limit": str(NOTEBOOKS_A_PAGE),
        "offset": str(offset),
        "sort_key": "create_at",
    }


def right(act: Act | None) -> str:
    """Return the permission that an *act*, or a look (None), needs."""
    return str(act) if act else "get"


def instance(body: dict[str, Any], asked_id: str) -> Instance:
    """Return the notebook that *body* describes."""
    return NotebookAnswer.model_validate(body).instance(asked_id)


def lease(body: dict[str, Any]) -> Lease:
    """Return the lease that *body* describes."""
    return LeaseAnswer.model_validate(body).lease()


def answer(body: dict[str, Any]) -> Answer:
    """Return what the answer to an act says: the status now, and none before."""
    return Answer("", NotebookAnswer.model_validate(body).status)


def instances(body: dict[str, Any]) -> tuple[Instance, ...] | None:
    """Return the notebooks of one page of the list, or None if *body* is none."""
    if not isinstance(body.get("data"), list):
        return None
    found = (instance(row, "") for row in _rows(body, "data"))
    return tuple(one for one in found if one.id)


def is_last(body: dict[str, Any]) -> bool:
    """Say whether no page comes after *body*."""
    return len(_rows(body, "data")) < NOTEBOOKS_A_PAGE


def sold_out(body: dict[str, Any], flavor: str) -> bool | None:
    """Say whether *flavor* is sold out, by the list of flavors in *body*."""
    told = [FlavorAnswer.model_validate(row) for row in _rows(body, "data", "flavors")]
    return next((each.is_sold_out for each in told if each.id == flavor), None)


def _rows(body: dict[str, Any], *fields: str) -> list[dict[str, Any]]:
    """Return the objects that stand in the lists of these *fields*."""
    lists = (body.get(field) for field in fields)
    rows = (row for each in lists if isinstance(each, list) for row in each)
    return [row for row in rows if isinstance(row, dict)]
