"""Signing in and out, and what a signed-in person may do.

The one door to this package for the server: `Users.session_principal` is asked at every request with a cookie, the rest
by the sign-in page, REST and `parley user`.
"""

import time
from collections.abc import Callable

import msgspec
import structlog

from context.errors import StoreConflictError
from context.security.audit import AuditLog
from context.security.principal import SCOPES_OF_ROLE, Principal, PrincipalKind, Role, Scope
from context.store.database import Store
from context.users.accounts import (
    Account,
    Accounts,
    AccountState,
    Membership,
    Standing,
    account_of,
    memberships_of,
    normal_email,
    require_user,
)
from context.users.attempts import Limiter, require_attempt, require_link_attempt
from context.users.errors import (
    AccountExistsError,
    BadCredentialsError,
    BadEmailError,
    NotAMemberError,
    SharedAccountError,
    UserNotFoundError,
)
from context.users.links import (
    Link,
    NewLink,
    Purpose,
    forget_expired_links,
    look_up,
    make_invitation,
    make_reset,
    open_invitations,
    token_digest,
    use,
    withdraw_invitation,
)
from context.users.passwords import Passwords, check_password
from context.users.sessions import (
    SEEN_EVERY_S,
    Session,
    csrf_token,
    end_session,
    end_sessions_of,
    find_session,
    forget_ended_sessions,
    open_session,
    renew_session,
    seen,
)
from context.users.states import forget_expired_states
from context.users.tables import memberships, users
from context.users.transactions import Audited, PeopleTransaction, reading_people, writing_people

HOUSEKEEPING = "housekeeping"
"""Actor, in the audit log, of what is done when its time has come."""

NOBODY = "nobody"
"""Actor, in the audit log, of what nobody who is known did."""

log = structlog.get_logger(__name__)


class SignedIn(msgspec.Struct, frozen=True):
    """A session that was opened or renewed. cookie: its secret. csrf: for our own pages."""

    cookie: str
    csrf: str
    user_id: str
    tenant_id: str

    def __repr__(self) -> str:
        return f"SignedIn(user_id={self.user_id!r}, tenant_id={self.tenant_id!r})"


class Me(msgspec.Struct, frozen=True):
    """The person of a session. tenants: those that can be chosen in it. tenant_id: "" while none is."""

    account: Account
    tenant_id: str
    role: Role | None
    tenants: tuple[Membership, ...]
    csrf: str
    ends_at_s: int


class Users:
    """People: their accounts, sessions and one-time links. Every method raises StoreError besides.

    now: seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        limiter: Limiter,
        audit: AuditLog,
        *,
        passwords: Passwords | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._limiter = limiter
        self._audited = Audited(audit)
        self._passwords = passwords or Passwords()
        self._owned = [] if passwords else [self._passwords]
        self._now = now
        self.accounts = Accounts(store, self._audited, self._passwords, now)

    def close(self) -> None:
        """End the thread that hashes passwords, unless it was given to us."""
        for passwords in self._owned:
            passwords.close()

    async def sign_in(self, email: str, password: str, *, address: str, old_cookie: str = "") -> SignedIn:
        """Open a session with a password. address: of the client. old_cookie: of the session that it replaces.

        An unknown address, a wrong password and a disabled account are answered alike, after the same time. Raises
        BadCredentialsError and TooManyAttemptsError.
        """
        try:
            email = normal_email(email)
        except BadEmailError:
            email = ""
        await require_attempt(self._limiter, email, address)
        async with reading_people(self._store) as transaction:
            row = await transaction.row(users, users.c.email == email)
        kept = row["password"] if row else None
        right = await self._passwords.matches(kept, password)
        if row is None or not right or row["state"] != AccountState.ACTIVE.value:
            await self._note_failure(row["user_id"] if row else "")
            raise BadCredentialsError("E-mail address or password is wrong.")
        upgraded = await self._passwords.hash(password) if kept and self._passwords.is_outdated(kept) else None
        async with writing_people(self._store) as transaction:
            # Read again: hashing took time in which the password may have been changed or the account disabled.
            row = await transaction.row(users, users.c.user_id == row["user_id"])
            if row is None or row["password"] != kept or row["state"] != AccountState.ACTIVE.value:
                raise BadCredentialsError("E-mail address or password is wrong.")
            if upgraded:
                await transaction.update(users, {"password": upgraded}, users.c.user_id == row["user_id"])
            return await self.open(transaction, row["user_id"], method="password", old_cookie=old_cookie)

    async def open(
        self,
        transaction: PeopleTransaction,
        user_id: str,
        *,
        method: str,
        tenant_id: str = "",
        only_tenant_id: str = "",
        old_cookie: str = "",
    ) -> SignedIn:
        """Open a session for somebody who has proved who they are, in the caller's transaction.

        method: how, for the audit log. tenant_id: to begin with; else the only one, when there is only one.
        """
        if old_cookie:
            await end_session(transaction, old_cookie)
        if not tenant_id:
            works_for = await memberships_of(transaction, user_id)
            tenant_id = works_for[0].tenant_id if len(works_for) == 1 else ""
        now_s = int(self._now())
        cookie = await open_session(transaction, user_id, now_s, tenant_id=tenant_id, only_tenant_id=only_tenant_id)
        await transaction.update(users, {"signed_in_at_s": now_s}, users.c.user_id == user_id)
        await self._audited.write(transaction, tenant_id, user_id, "session.opened", user_id, method=method)
        return SignedIn(cookie, csrf_token(cookie), user_id, tenant_id)

    async def session_principal(self, cookie: str) -> Principal | None:
        """Who is signed in with this cookie, None when nobody is. What a role allows is looked up each time.

        Without a chosen tenant the principal's tenant_id is "" and it may do nothing but choose one.
        """
        now_s = int(self._now())
        async with reading_people(self._store) as transaction:
            session, account = await self._current(transaction, cookie, now_s)
            if session is None or account is None:
                return None
            role = await _role_in(transaction, session)
        if now_s - session.seen_at_s >= SEEN_EVERY_S:
            async with writing_people(self._store) as transaction:
                await seen(transaction, session, now_s)
        if account.standing is Standing.OPERATOR:
            return Principal(PrincipalKind.OPERATOR, account.id, session.tenant_id, frozenset(Scope))
        if role is None:
            return Principal(PrincipalKind.USER, account.id, "", frozenset())
        return Principal(PrincipalKind.USER, account.id, session.tenant_id, SCOPES_OF_ROLE[role])

    async def me(self, cookie: str) -> Me | None:
        """The person signed in with this cookie, None when nobody is."""
        async with reading_people(self._store) as transaction:
            session, account = await self._current(transaction, cookie, int(self._now()))
            if session is None or account is None:
                return None
            tenants = _choosable(session, await memberships_of(transaction, account.id))
        role = next((tenant.role for tenant in tenants if tenant.tenant_id == session.tenant_id), None)
        chosen = session.tenant_id if role or account.standing is Standing.OPERATOR else ""
        return Me(account, chosen, role, tenants, csrf_token(cookie), session.ends_at_s())

    async def choose_tenant(self, cookie: str, tenant_id: str) -> SignedIn:
        """Go on for another tenant, with another cookie. Raises BadCredentialsError when the session has ended, and
        NotAMemberError."""
        now_s = int(self._now())
        async with writing_people(self._store) as transaction:
            session, account = await self._current(transaction, cookie, now_s)
            if session is None or account is None:
                raise _signed_out()
            choosable = {each.tenant_id for each in _choosable(session, await memberships_of(transaction, account.id))}
            if tenant_id not in choosable and account.standing is not Standing.OPERATOR:
                raise NotAMemberError("You do not work for this tenant.")
            renewed = await renew_session(transaction, session, now_s, tenant_id)
            if renewed is None:
                raise _signed_out()
            await self._audited.write(transaction, tenant_id, account.id, "session.tenant_chosen", account.id)
        return SignedIn(renewed, csrf_token(renewed), account.id, tenant_id)

    async def sign_out(self, cookie: str) -> None:
        """End the session; fine when it has ended."""
        async with writing_people(self._store) as transaction:
            session = await find_session(transaction, cookie, int(self._now()))
            await end_session(transaction, cookie)
            if session:
                await self._audited.write(
                    transaction, session.tenant_id, session.user_id, "session.closed", session.user_id
                )

    async def sign_out_everywhere(self, user_id: str, actor: str) -> int:
        """End every session of a person; how many there were."""
        async with writing_people(self._store) as transaction:
            ended = await end_sessions_of(transaction, user_id)
            await self._audited.write(transaction, "", actor, "session.all_closed", user_id, sessions=ended)
        return ended

    async def change_password(self, cookie: str, old: str, new: str, *, address: str) -> SignedIn:
        """Change one's own password; every other session ends and this one gets another cookie.

        Raises BadCredentialsError, TooManyAttemptsError and WeakPasswordError.
        """
        async with reading_people(self._store) as transaction:
            session, account = await self._current(transaction, cookie, int(self._now()))
            row = await require_user(transaction, account.id) if account else None
        if session is None or account is None or row is None:
            raise _signed_out()
        check_password(new, known=(account.name, account.email.partition("@")[0]))
        await require_attempt(self._limiter, account.email, address)
        if not await self._passwords.matches(row["password"], old):
            await self._note_failure(account.id)
            raise BadCredentialsError("The present password is wrong.")
        hashed = await self._passwords.hash(new)
        async with writing_people(self._store) as transaction:
            now_s = int(self._now())
            renewed = await renew_session(transaction, session, now_s, session.tenant_id)
            if renewed is None:
                raise _signed_out()
            await self.accounts.set_password(
                transaction, account.id, hashed, account.id, keep_session=token_digest(renewed)
            )
        return SignedIn(renewed, csrf_token(renewed), account.id, session.tenant_id)

    async def invite(self, tenant_id: str, role: Role, note: str, actor: str) -> NewLink:
        """A link that makes whoever opens it work for the tenant. note: whom it is meant for."""
        async with writing_people(self._store) as transaction:
            made = await make_invitation(transaction, tenant_id, role, note, actor, int(self._now()))
            await self._audited.write(transaction, tenant_id, actor, "invitation.made", made.link.id, role=role.value)
        return made

    async def invitations(self, tenant_id: str) -> list[Link]:
        """Invitations that nobody has used, newest first."""
        async with reading_people(self._store) as transaction:
            return await open_invitations(transaction, tenant_id, int(self._now()))

    async def withdraw(self, tenant_id: str, link_id: str, actor: str) -> bool:
        """Close an invitation; whether there was one."""
        async with writing_people(self._store) as transaction:
            closed = await withdraw_invitation(transaction, tenant_id, link_id)
            if closed:
                await self._audited.write(transaction, tenant_id, actor, "invitation.withdrawn", link_id)
        return closed

    async def invitation(self, token: str, *, address: str) -> Link:
        """What an invitation is for, before it is used. Raises LinkNotValidError and TooManyAttemptsError."""
        await require_link_attempt(self._limiter, address)
        async with reading_people(self._store) as transaction:
            return await look_up(transaction, Purpose.INVITATION, token_digest(token), int(self._now()))

    async def accept_with_password(
        self, token: str, email: str, name: str, password: str, *, address: str, old_cookie: str = ""
    ) -> SignedIn:
        """Use an invitation to make an account. Raises LinkNotValidError, TooManyAttemptsError, BadEmailError,
        WeakPasswordError and AccountExistsError."""
        address_of_mail = normal_email(email)
        check_password(password, known=(name, address_of_mail.partition("@")[0]))
        link = await self.invitation(token, address=address)
        hashed = await self._passwords.hash(password)
        try:
            async with writing_people(self._store) as transaction:
                link = await use(transaction, Purpose.INVITATION, token_digest(token), int(self._now()))
                account = await self.accounts.insert(transaction, email=address_of_mail, name=name, password=hashed)
                await self._audited.write(transaction, "", account.id, "user.created", account.id)
                await self.join_by(transaction, link, account.id)
                return await self.open(
                    transaction, account.id, method="invitation", tenant_id=link.tenant_id, old_cookie=old_cookie
                )
        except StoreConflictError:
            raise AccountExistsError(
                "email: there is an account with this address already; sign in, then open the invitation again"
            ) from None

    async def accept_signed_in(self, token: str, cookie: str, *, address: str) -> SignedIn:
        """Use an invitation as who is signed in; the session goes on for that tenant with another cookie.

        Raises LinkNotValidError, TooManyAttemptsError, and BadCredentialsError when nobody is signed in.
        """
        await require_link_attempt(self._limiter, address)
        now_s = int(self._now())
        async with writing_people(self._store) as transaction:
            session, account = await self._current(transaction, cookie, now_s)
            if session is None or account is None or session.only_tenant_id:
                raise BadCredentialsError("Sign in with your own account first.")
            link = await use(transaction, Purpose.INVITATION, token_digest(token), now_s)
            renewed = await renew_session(transaction, session, now_s, link.tenant_id)
            if renewed is None:
                raise _signed_out()
            await self.join_by(transaction, link, account.id)
        return SignedIn(renewed, csrf_token(renewed), account.id, link.tenant_id)

    async def join_by(self, transaction: PeopleTransaction, link: Link, user_id: str) -> None:
        """Make the person what an invitation that was just used says."""
        assert link.role is not None
        if not await self.accounts.join(transaction, link.tenant_id, user_id, link.role, user_id):
            log.info("invitation_of_a_member", tenant_id=link.tenant_id)

    async def make_reset(self, user_id: str, actor: str, *, tenant_id: str = "") -> NewLink:
        """A link to choose a new password. tenant_id: the tenant whose administrator asks; "" for the operator.

        An administrator may do this only for people who work for nobody else. Raises UserNotFoundError and
        SharedAccountError.
        """
        async with writing_people(self._store) as transaction:
            account = account_of(await require_user(transaction, user_id))
            if tenant_id:
                works_for = {each.tenant_id for each in await memberships_of(transaction, user_id)}
                if tenant_id not in works_for:
                    raise UserNotFoundError("there is no such user")
                if works_for != {tenant_id} or account.standing is Standing.OPERATOR:
                    raise SharedAccountError("this person works for others too: only the operator may do this")
            made = await make_reset(transaction, user_id, actor, int(self._now()))
            await self._audited.write(transaction, tenant_id, actor, "user.reset_made", user_id)
        return made

    async def reset_password(self, token: str, new: str, *, address: str) -> None:
        """Choose a new password with a link; every session ends. Raises LinkNotValidError, TooManyAttemptsError and
        WeakPasswordError, after which the link still works."""
        await require_link_attempt(self._limiter, address)
        async with reading_people(self._store) as transaction:
            link = await look_up(transaction, Purpose.RESET, token_digest(token), int(self._now()))
            account = account_of(await require_user(transaction, link.user_id))
        check_password(new, known=(account.name, account.email.partition("@")[0]))
        hashed = await self._passwords.hash(new)
        async with writing_people(self._store) as transaction:
            link = await use(transaction, Purpose.RESET, token_digest(token), int(self._now()))
            await self.accounts.set_password(transaction, link.user_id, hashed, link.user_id)

    async def set_password(self, user_id: str, new: str, actor: str) -> None:
        """Give a person another password, as the operator; every session ends. Raises UserNotFoundError and
        WeakPasswordError."""
        account = await self.accounts.get(user_id)
        check_password(new, known=(account.name, account.email.partition("@")[0]))
        hashed = await self._passwords.hash(new)
        async with writing_people(self._store) as transaction:
            await self.accounts.set_password(transaction, user_id, hashed, actor)

    async def forget_ended(self) -> int:
        """Remove sessions, links and sign-ins that have ended, and accounts that belong nowhere any more; how many.

        Housekeeping calls it now and then.
        """
        now_s = int(self._now())
        async with writing_people(self._store) as transaction:
            ended = (
                await forget_ended_sessions(transaction, now_s)
                + await forget_expired_links(transaction, now_s)
                + await forget_expired_states(transaction, now_s)
            )
        return ended + await self.accounts.forget_idle(HOUSEKEEPING)

    async def _current(
        self, transaction: PeopleTransaction, cookie: str, now_s: int
    ) -> tuple[Session | None, Account | None]:
        session = await find_session(transaction, cookie, now_s)
        row = await transaction.row(users, users.c.user_id == session.user_id) if session else None
        if row is None or row["state"] != AccountState.ACTIVE.value:
            return None, None
        return session, account_of(row)

    async def _note_failure(self, user_id: str) -> None:
        # Written for unknown addresses too: the time that it takes must not tell which addresses are known.
        async with writing_people(self._store) as transaction:
            await self._audited.write(transaction, "", user_id or NOBODY, "session.refused", user_id)


async def _role_in(transaction: PeopleTransaction, session: Session) -> Role | None:
    if not session.tenant_id:
        return None
    row = await transaction.of(session.tenant_id).row(memberships, memberships.c.user_id == session.user_id)
    return Role(row["role"]) if row else None


def _choosable(session: Session, works_for: list[Membership]) -> tuple[Membership, ...]:
    return tuple(each for each in works_for if session.only_tenant_id in ("", each.tenant_id))


def _signed_out() -> BadCredentialsError:
    return BadCredentialsError("The session has ended: sign in again.")
