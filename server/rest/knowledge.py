"""What the agent knows about the business: the facts of the tenant, read and changed one by one.

A fact is questions and an answer per language, kept in the tenant's configuration, so calls use a change within two
seconds. A tenant of an operator's file is changed there: 409 `managed_by_file`. Part of `server.rest.api`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, put
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler

from billing.plans import shipped_plans
from context.security.principal import Principal, Scope
from context.tenants.config import LANGUAGES, Fact, TenantConfig
from server.rest.auth import requires, tenant_of
from server.rest.calls import Language
from server.rest.etags import check_if_match
from server.rest.own_tenant import change_config, detail_of
from server.rest.paging import Page, PageQuery
from server.rest.problems import Problem, bad_field, not_found
from server.rest.services import Services

LONGEST_ID = 100
LONGEST_ANSWER = 2_000
MOST_QUESTIONS = 50

Question = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Questions = Annotated[list[Question], msgspec.Meta(max_length=MOST_QUESTIONS)]
Answer = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ANSWER)]


class FactView(msgspec.Struct, frozen=True):
    """One fact. questions and answer: by language."""

    id: str
    questions: dict[str, list[str]]
    answer: dict[str, str]


class FactBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fact: the questions that it answers and the answer, by language."""

    answer: Annotated[dict[Language, Answer], msgspec.Meta(min_length=1, max_length=len(LANGUAGES))]
    questions: Annotated[dict[Language, Questions], msgspec.Meta(max_length=len(LANGUAGES))] = {}


class Knowledge(Controller):
    """The facts of the tenant."""

    path = "/knowledge"
    tags: Sequence[str] = ["knowledge"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.KNOWLEDGE_READ)], summary="List facts by id")
    async def list_facts(
        self,
        principal: Principal,
        services: Services,
        page: PageQuery,
        language: Annotated[Language | None, Parameter(description="With an answer in it.")] = None,
    ) -> Page[FactView]:
        """What the agent can answer from."""
        tenant = (await detail_of(services, tenant_of(principal))).config
        key = page.key(str)
        after = str(key[0]) if key else ""
        facts = [fact for fact in sorted(tenant.facts, key=lambda fact: fact.id) if fact.id > after]
        if language is not None:
            facts = [fact for fact in facts if language in fact.answer]
        return page.page(facts, lambda fact: (fact.id,), fact_view)

    @get("/{fact_id:str}", guards=[requires(Scope.KNOWLEDGE_READ)], summary="Get one fact")
    async def get_fact(self, fact_id: str, principal: Principal, services: Services) -> FactView:
        """One fact in every language it has."""
        tenant = (await detail_of(services, tenant_of(principal))).config
        return fact_view(_fact(tenant, fact_id))

    @put("/{fact_id:str}", guards=[requires(Scope.KNOWLEDGE_WRITE)], summary="Add or replace a fact")
    async def put_fact(
        self, fact_id: str, data: FactBody, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> FactView:
        """The agent answers with it within two seconds. 409 `plan_limit` when the plan has no room for another."""
        if not 1 <= len(fact_id) <= LONGEST_ID or not fact_id.isprintable():
            raise bad_field("fact_id", f"1 to {LONGEST_ID} printable characters")
        before_all = await detail_of(services, tenant_of(principal))
        tenant = before_all.config
        _check_languages(tenant, data)
        others = tuple(fact for fact in tenant.facts if fact.id != fact_id)
        before = next((fact for fact in tenant.facts if fact.id == fact_id), None)
        if before is not None:
            check_if_match(request, fact_view(before))
        elif request.headers.get("if-match"):
            raise Problem(412, "changed_meanwhile", "There is no such fact any more.")
        else:
            _check_room(tenant, len(others))
        questions = {str(code): tuple(asked) for code, asked in data.questions.items()}
        fact = Fact(fact_id, questions, {str(code): answer for code, answer in data.answer.items()})
        await change_config(services, principal, before_all, {"facts": (*others, fact)})
        return fact_view(fact)

    @delete("/{fact_id:str}", guards=[requires(Scope.KNOWLEDGE_WRITE)], summary="Remove a fact")
    async def delete_fact(
        self, fact_id: str, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> None:
        """The agent forgets it within two seconds."""
        before = await detail_of(services, tenant_of(principal))
        check_if_match(request, fact_view(_fact(before.config, fact_id)))
        facts = tuple(fact for fact in before.config.facts if fact.id != fact_id)
        await change_config(services, principal, before, {"facts": facts})


def fact_view(fact: Fact) -> FactView:
    """A fact as clients see it."""
    return FactView(fact.id, {code: list(asked) for code, asked in fact.questions.items()}, dict(fact.answer))


def _fact(tenant: TenantConfig, fact_id: str) -> Fact:
    fact = next((fact for fact in tenant.facts if fact.id == fact_id), None)
    if fact is None:
        raise not_found("fact")
    return fact


def _check_languages(tenant: TenantConfig, data: FactBody) -> None:
    for field, by_language in (("answer", data.answer), ("questions", data.questions)):
        for code in by_language:
            if code not in tenant.languages:
                raise bad_field(f"{field}.{code}", f"languages {', '.join(tenant.languages)}", code)


def _check_room(tenant: TenantConfig, others: int) -> None:
    plan = shipped_plans().plan(tenant.plan)
    if plan is not None and others >= plan.knowledge_entries:
        raise Problem(409, "plan_limit", f"The plan {plan.id} has room for {plan.knowledge_entries} facts.")


handlers: Sequence[ControllerRouterHandler] = (Knowledge,)

EXAMPLES = (
    FactView(
        "parking",
        {"en": ["Is there parking?"], "fr": ["Y a-t-il un parking ?"]},
        {"en": "Yes, free parking behind the building.", "fr": "Oui, un parking gratuit derrière l'immeuble."},
    ),
    FactBody({"en": "Yes, free parking behind the building."}, {"en": ["Is there parking?"]}),
)
