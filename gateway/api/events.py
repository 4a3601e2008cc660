"""For ERPs: what happened, to be read on or delivered as signed webhooks."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.api.access import Reader, Served, WebhookKeeper
from gateway.api.bodies import described, read_body
from gateway.api.pages import page
from gateway.ledger import MAX_EVENTS, TYPES
from gateway.pipeline.webhooks import (
    LONGEST_URL,
    add_webhook,
    delete_webhook,
    delivery_json,
    event_json,
    ping,
    rotate,
    webhook_json,
)

router = APIRouter(tags=["events"])

_PAGE: Final = 100
Id = Annotated[str, Path(max_length=100)]


class NewWebhook(BaseModel):
    """Where events are to be delivered."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=LONGEST_URL, description="https, at a public address.")]
    types: Annotated[
        list[Annotated[str, Field(max_length=100)]],
        Field(max_length=50, description="Types of events; all, also those to come, where there are none."),
    ] = []


BODIES: Final = (NewWebhook,)


@router.get("/v1/events", summary="What happened since")
async def get_events(
    gateway: Served,
    who: Reader,
    after: Annotated[int, Query(ge=0, le=2**53, description="What the page before gave as `next`; 0: all")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = 100,
    types: Annotated[str, Query(max_length=1000, description=f"Some of {', '.join(TYPES.values())}")] = "",
) -> dict[str, Any]:
    """Oldest first. `next` is to be given as `after` the next time, also where nothing happened. Nothing is missed that
    was committed late; an event shows some seconds after what it tells."""
    wanted = [each.strip() for each in types.split(",") if each.strip()]
    found, following = await gateway.offload(
        gateway.ledger.events, who.taxpayer_id, after=after, limit=limit, types=wanted
    )
    return {"events": [event_json(each) for each in found], "next": following}


@router.post("/v1/webhooks", status_code=201, summary="Have events delivered", openapi_extra=described(NewWebhook))
async def post_webhook(request: Request, gateway: Served, who: WebhookKeeper) -> dict[str, Any]:
    """The receiver with its `secret`, which is shown this once. It hears what happens from now on."""
    asked = await read_body(request, NewWebhook)
    made, secret = await gateway.offload(
        add_webhook, gateway, who.taxpayer_id, asked.url, tuple(asked.types), actor=who.actor
    )
    return {**webhook_json(made), "secret": secret}


@router.get("/v1/webhooks", summary="The webhooks there are")
async def get_webhooks(gateway: Served, who: WebhookKeeper) -> dict[str, Any]:
    """Oldest first, without their secrets."""
    found = await gateway.offload(gateway.ledger.webhooks, who.taxpayer_id)
    return {"items": [webhook_json(each) for each in found]}


@router.delete("/v1/webhooks/{webhook_id}", status_code=204, summary="Deliver nothing to it any more")
async def delete(webhook_id: Id, gateway: Served, who: WebhookKeeper) -> None:
    """What was due to it is not sent; its secrets are forgotten."""
    await gateway.offload(delete_webhook, gateway, who.taxpayer_id, webhook_id, actor=who.actor)


@router.post("/v1/webhooks/{webhook_id}/ping", status_code=202, summary="Deliver a `ping`")
async def post_ping(webhook_id: Id, request: Request, gateway: Served, who: WebhookKeeper) -> dict[str, str]:
    """To try the receiver: `GET .../deliveries` tells what it said."""
    event_id = await gateway.offload(ping, gateway, who.taxpayer_id, webhook_id)
    request.app.state.worker.ring()
    return {"id": event_id}


@router.post("/v1/webhooks/{webhook_id}/rotation", summary="A new secret")
async def post_rotation(webhook_id: Id, gateway: Served, who: WebhookKeeper) -> dict[str, str]:
    """The new `secret`, shown this once. The former one signs beside it until `former_secret_until`."""
    until, secret = await gateway.offload(rotate, gateway, who.taxpayer_id, webhook_id, actor=who.actor)
    return {"secret": secret, "former_secret_until": until.isoformat()}


@router.get("/v1/webhooks/{webhook_id}/deliveries", summary="What was delivered, and the last answers")
async def get_deliveries(
    webhook_id: Id,
    gateway: Served,
    who: WebhookKeeper,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> dict[str, Any]:
    """Newest first; `next` is the cursor of the following page."""
    found = await gateway.offload(gateway.ledger.deliveries, who.taxpayer_id, webhook_id, before=cursor, limit=_PAGE)
    return page(map(delivery_json, found), found[-1].id if len(found) == _PAGE else None)


@router.post("/v1/webhooks/{webhook_id}/redelivery", status_code=202, summary="Deliver again")
async def post_redelivery(
    webhook_id: Id,
    request: Request,
    gateway: Served,
    who: WebhookKeeper,
    event: Annotated[str, Query(max_length=100, description="This one, whatever became of it")] = "",
    since: Annotated[AwareDatetime | None, Query(description="Those since this moment")] = None,
) -> dict[str, int]:
    """One delivery, or all that failed; how many. A webhook that was off is on again."""
    count = await gateway.offload(
        gateway.ledger.redeliver,
        who.taxpayer_id,
        webhook_id,
        event_id=event,
        since=since,
        actor=who.actor,
        now=gateway.now(),
    )
    request.app.state.worker.ring()
    return {"deliveries": count}
