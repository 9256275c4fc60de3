"""People over REST: finding them, correcting what is known, making one of two, taking them out, erasing them.

A contact that was merged into another is shown as that other, whichever id is asked for. Part of `server.rest.api`.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler
from msgspec import UNSET, Meta, UnsetType

from context.contacts.contact import Consent, ConsentPurpose, ConsentState, Contact, ContactConflictError, joined_names
from context.contacts.points import ContactPoint, ContactPointError, PointKind, email_point, external_point
from context.contacts.store import ContactStore, changed_points
from context.erasure.erase import Certificate, ErasureState
from context.erasure.errors import SubjectInCallError
from context.erasure.export import Export, export_data
from context.security.principal import Principal, Scope
from server.rest.auth import requires, tenant_of
from server.rest.calls import Language
from server.rest.etags import check_if_match
from server.rest.paging import Page, PageQuery
from server.rest.problems import Problem, bad_field
from server.rest.services import Services

POINTS_LIMIT = 20

ContactId = Annotated[str, Parameter(description="Id of a contact, also of one that was merged.", max_length=200)]
Name = Annotated[str, Meta(min_length=1, max_length=120)]
PointText = Annotated[str, Meta(min_length=1, max_length=254)]
Names = Annotated[list[Name], Meta(max_length=10)]
Points = Annotated[list[PointText], Meta(max_length=POINTS_LIMIT)]
Languages = Annotated[list[Language], Meta(max_length=5)]


class ConsentView(msgspec.Struct, frozen=True):
    """What a person said about a use of their data. source: the call it was said in, or who wrote it down."""

    purpose: ConsentPurpose
    state: ConsentState
    at: dt.datetime
    source: str


class ContactView(msgspec.Struct, frozen=True):
    """A person. names: the newest first. phones: E.164. A purpose that nobody spoke of is not among the consents."""

    id: str
    version: int
    names: list[str]
    phones: list[str]
    emails: list[str]
    external_ids: list[str]
    languages: list[str]
    consents: list[ConsentView]
    created_at: dt.datetime
    updated_at: dt.datetime


class NewContact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person to add. phones: as people of the tenant's country write them, or international."""

    names: Names = []
    phones: Points = []
    emails: Points = []
    external_ids: Points = []
    languages: Languages = []


class ConsentChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person said now."""

    purpose: ConsentPurpose
    state: ConsentState


class ContactChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays. Lists replace those that are there, consents are added to them."""

    names: Names | UnsetType = UNSET
    phones: Points | UnsetType = UNSET
    emails: Points | UnsetType = UNSET
    external_ids: Points | UnsetType = UNSET
    languages: Languages | UnsetType = UNSET
    consents: Annotated[list[ConsentChange], Meta(max_length=3)] | UnsetType = UNSET


class ContactMerge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The other contact that is the same person. Its id leads to this one from then on."""

    other_id: Annotated[str, Meta(min_length=1, max_length=200)]


class ErasureView(msgspec.Struct, frozen=True):
    """The certificate of an erasure. subject_hash: all that stays of the person. counts: rows and files removed, by
    part of Parley. completed_at: null while the disk is still being cleaned."""

    subject_hash: str
    state: ErasureState
    counts: dict[str, int]
    requested_at: dt.datetime
    completed_at: dt.datetime | None


class ExportView(msgspec.Struct, frozen=True):
    """Everything that is kept about a person. data: part of Parley -> its rows. recordings: names of sound files; each
    is served by the call it belongs to."""

    contact_id: str
    exported_at: dt.datetime
    data: dict[str, list[dict[str, Any]]]
    recordings: list[str]


class Contacts(Controller):
    """People who call the tenant."""

    path = "/contacts"
    tags: Sequence[str] = ["contacts"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.CONTACTS_READ)], summary="List or search contacts, newest first")
    async def list_contacts(
        self,
        principal: Principal,
        services: Services,
        page: PageQuery,
        search: Annotated[
            str | None,
            Parameter(description="Part of a name, or a whole number, address or external id.", max_length=254),
        ] = None,
    ) -> Page[ContactView]:
        """The tenant's contacts, but those that were merged into another."""
        key = page.key(int, str)
        after = None if key is None else (int(key[0]), str(key[1]))
        found = await services.contacts.page(
            tenant_of(principal), query=search or "", after=after, limit=page.limit + 1
        )
        return page.page(found, lambda contact: (contact.created_ms, contact.id), contact_view)

    @post("/", guards=[requires(Scope.CONTACTS_WRITE)], summary="Add a contact")
    async def create_contact(self, data: NewContact, principal: Principal, services: Services) -> ContactView:
        """Add a person. 409 `contact_conflict` when a number, address or external id belongs to a contact already."""
        tenant_id = tenant_of(principal)
        points = (
            *_phones(services.contacts, tenant_id, data.phones),
            *_points("emails", data.emails, email_point),
            *_points("external_ids", data.external_ids, external_point),
        )
        try:
            made = await services.contacts.create(
                tenant_id, points, names=tuple(data.names), languages=tuple(data.languages), actor=principal.id
            )
        except ContactConflictError as error:
            raise _conflict(error) from error
        return contact_view(made)

    @get("/{contact_id:str}", guards=[requires(Scope.CONTACTS_READ)], summary="Get one contact")
    async def get_contact(self, contact_id: ContactId, principal: Principal, services: Services) -> ContactView:
        """One person."""
        return contact_view(await services.contacts.get(tenant_of(principal), contact_id))

    @patch("/{contact_id:str}", guards=[requires(Scope.CONTACTS_WRITE)], summary="Change a contact")
    async def change_contact(
        self,
        contact_id: ContactId,
        data: ContactChange,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> ContactView:
        """Correct what is known. 409 `contact_conflict` when a number or address belongs to another contact: merge the
        two. With `If-Match`, 412 when it was changed meanwhile."""
        tenant_id = tenant_of(principal)
        before = await services.contacts.get(tenant_id, contact_id)
        check_if_match(request, contact_view(before))
        expected = before.version if "if-match" in request.headers else None
        change = _change(services, tenant_id, data, principal.id)
        try:
            changed = await services.contacts.change(
                tenant_id, contact_id, change, actor=principal.id, expected_version=expected
            )
        except ContactConflictError as error:
            raise _conflict(error) from error
        return contact_view(changed)

    @post(
        "/{contact_id:str}/merge",
        guards=[requires(Scope.CONTACTS_WRITE)],
        status_code=200,
        summary="Merge two contacts",
    )
    async def merge_contact(
        self,
        contact_id: ContactId,
        data: ContactMerge,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> ContactView:
        """Make the other contact part of this one, with its numbers, calls and context. 409 `contact_conflict` when
        they are one already. It cannot be undone here; how both were is kept in the export."""
        tenant_id = tenant_of(principal)
        check_if_match(request, contact_view(await services.contacts.get(tenant_id, contact_id)))
        try:
            merged = await services.boxes.merge(tenant_id, contact_id, data.other_id, actor=principal.id)
        except ContactConflictError as error:
            raise _conflict(error) from error
        return contact_view(merged)

    @get("/{contact_id:str}/export", guards=[requires(Scope.CONTACTS_READ)], summary="Export everything about a person")
    async def export_contact(self, contact_id: ContactId, principal: Principal, services: Services) -> ExportView:
        """Every row that is kept about the person, in every part of Parley, and the names of their recordings."""
        tenant_id = tenant_of(principal)
        subject = await services.contacts.subject(tenant_id, contact_id)
        now_s = services.now().timestamp()
        found = await export_data(
            services.store, services.recordings, services.personal_data, tenant_id, subject, now_s
        )
        return _export_view(found)

    @delete(
        "/{contact_id:str}", guards=[requires(Scope.CONTACTS_ERASE)], status_code=200, summary="Erase a person for ever"
    )
    async def erase_contact(
        self, contact_id: ContactId, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> ErasureView:
        """Remove everything about the person: contact, context, words of their calls, recordings, bookings. The answer
        is the certificate. 409 `subject_in_call` while they are on the line."""
        tenant_id = tenant_of(principal)
        check_if_match(request, contact_view(await services.contacts.get(tenant_id, contact_id)))
        subject = await services.contacts.subject(tenant_id, contact_id)
        try:
            return _erasure_view(await services.erasures.erase(tenant_id, subject, actor=principal.id))
        except SubjectInCallError as error:
            raise Problem(409, error.code, str(error)) from error


def contact_view(contact: Contact) -> ContactView:
    """A contact as clients see it."""
    return ContactView(
        id=contact.id,
        version=contact.version,
        names=list(contact.names),
        phones=list(contact.phones),
        emails=list(contact.emails),
        external_ids=list(contact.external_ids),
        languages=list(contact.languages),
        consents=[
            ConsentView(said.purpose, said.state, _instant(said.at_ms), said.source) for said in contact.consents
        ],
        created_at=_instant(contact.created_ms),
        updated_at=_instant(contact.updated_ms),
    )


def _change(services: Services, tenant_id: str, data: ContactChange, actor: str) -> Callable[[Contact], Contact]:
    """The change that was asked for. Raises Problem 400 for a number or address that is none."""
    replaced: dict[PointKind, tuple[ContactPoint, ...]] = {}
    if data.phones is not UNSET:
        replaced[PointKind.PHONE] = _phones(services.contacts, tenant_id, data.phones)
    if data.emails is not UNSET:
        replaced[PointKind.EMAIL] = _points("emails", data.emails, email_point)
    if data.external_ids is not UNSET:
        replaced[PointKind.EXTERNAL] = _points("external_ids", data.external_ids, external_point)
    now_ms = int(services.now().timestamp() * 1_000)
    said = () if data.consents is UNSET else tuple(Consent(c.purpose, c.state, now_ms, actor) for c in data.consents)
    names, languages = data.names, data.languages

    def change(contact: Contact) -> Contact:
        for kind, points in replaced.items():
            contact = changed_points(contact, kind, points)
        # What is said now replaces what was said before, whatever the clocks of the two were.
        spoken = {consent.purpose: consent for consent in (*contact.consents, *said)}
        return msgspec.structs.replace(
            contact,
            names=contact.names if names is UNSET else joined_names(tuple(names), ()),
            languages=contact.languages if languages is UNSET else tuple(dict.fromkeys(languages)),
            consents=tuple(spoken[purpose] for purpose in ConsentPurpose if purpose in spoken),
        )

    return change


def _phones(contacts: ContactStore, tenant_id: str, texts: Sequence[str]) -> tuple[ContactPoint, ...]:
    return _points("phones", texts, lambda text: contacts.phone(tenant_id, text))


def _points(field: str, texts: Sequence[str], make: Callable[[str], ContactPoint]) -> tuple[ContactPoint, ...]:
    """The points of a field. Raises Problem 400, which names the place and does not repeat the value."""
    points: dict[ContactPoint, None] = {}
    for at, text in enumerate(texts):
        try:
            points[make(text)] = None
        except ContactPointError as error:
            raise bad_field(f"{field}[{at}]", str(error).partition(": ")[2]) from error
    return tuple(points)


def _conflict(error: ContactConflictError) -> Problem:
    if str(error).startswith("version"):
        return Problem(412, "changed_meanwhile", "It was changed since you read it: read it again, then change it.")
    return Problem(409, error.code, str(error))


def _erasure_view(certificate: Certificate) -> ErasureView:
    completed_ms = certificate.completed_at_ms
    return ErasureView(
        certificate.subject_hash,
        certificate.state,
        certificate.counts,
        _instant(certificate.requested_at_ms),
        None if completed_ms is None else _instant(completed_ms),
    )


def _export_view(export: Export) -> ExportView:
    exported_at = dt.datetime.fromtimestamp(export.exported_at, dt.UTC)
    return ExportView(export.contact_id, exported_at, export.data, export.recordings)


def _instant(at_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_ms / 1_000, dt.UTC)


handlers: Sequence[ControllerRouterHandler] = (Contacts,)

_FRIDAY = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
EXAMPLES = (
    ContactView(
        id="8f1f6a0f2d3c4b5a69788796",
        version=2,
        names=["Anne Roy"],
        phones=["+33612345678"],
        emails=["anne@example.com"],
        external_ids=["crm-7"],
        languages=["fr"],
        consents=[ConsentView(ConsentPurpose.RECORDING, ConsentState.GRANTED, _FRIDAY, "5f0c9a3b7d1e4a6b8c2d")],
        created_at=_FRIDAY,
        updated_at=_FRIDAY,
    ),
    NewContact(["Anne Roy"], ["06 12 34 56 78"], ["anne@example.com"], ["crm-7"], ["fr"]),
    ContactChange(names=["Anne Roy-Martin"], consents=[ConsentChange(ConsentPurpose.MARKETING, ConsentState.REFUSED)]),
    ContactMerge("0c4e9d2b7a6f1e5d3c8b9a70"),
    ErasureView(
        "b1946ac92492d2347c6235b4d2611184", ErasureState.COMPLETED, {"contacts": 3, "calls": 1}, _FRIDAY, _FRIDAY
    ),
    ExportView(
        "8f1f6a0f2d3c4b5a69788796", _FRIDAY, {"contacts": [{"table": "contacts"}]}, ["5f0c9a3b7d1e4a6b8c2d.wav"]
    ),
)
