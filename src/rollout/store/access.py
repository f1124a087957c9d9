"""The tokens of one control database: made once, never shown again, and ended by being revoked."""

from __future__ import annotations

import json
from typing import Final

from sqlalchemy import func, update
from sqlmodel import Session, col, delete, select

from rollout.domain.access import Role, Token
from rollout.domain.audit import Act
from rollout.store import auditing
from rollout.store.access_tables import TokenRow
from rollout.store.database import Database

MOST: Final = 1_000
"""Tokens that are kept, ended ones among them."""
ENDED_KEPT_US: Final = 90 * 86_400 * 1_000_000
"""How long the name of an ended token is not given again."""


class SqlTokens:
    """Keeps tokens; each call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Token, ...]:
        """Return every token that is known, by name."""
        with self._database.read() as connection, Session(connection) as session:
            return tuple(_token(row) for row in session.exec(select(TokenRow).order_by(col(TokenRow.name))))

    def create(self, token: Token, act: Act) -> bool:
        """Keep a new token; return whether its name was free and there was room."""
        with self._database.write() as connection, Session(connection) as session:
            horizon_us = token.created_us - ENDED_KEPT_US
            for ended in (TokenRow.revoked_us, TokenRow.expires_us):
                connection.execute(delete(TokenRow).where(col(ended) < horizon_us))
            known = connection.execute(select(func.count()).select_from(TokenRow)).scalar_one()
            if known >= MOST or session.get(TokenRow, token.name) is not None:
                return False
            session.add(_row(token))
            session.flush()
            auditing.add(connection, act)
        return True

    def keep(self, token: Token) -> None:
        """Keep a token of the house's own under its name, whatever secret that had before."""
        with self._database.write() as connection, Session(connection) as session:
            known = session.get(TokenRow, token.name)
            is_same = known is not None and (known.digest, known.role) == (token.digest, token.role.value)
            if known is not None and is_same and known.revoked_us is None:
                return
            if known is not None:
                session.delete(known)
                session.flush()
            session.add(_row(token))
            session.flush()
            made = (token.created_by, None, None, "token create", token.name, f"role {token.role}")
            auditing.add(connection, Act(token.created_us, *made))

    def revoke(self, name: str, act: Act) -> Token | None:
        """End a token; return it as it is then, or None when there is none of that name."""
        with self._database.write() as connection, Session(connection) as session:
            row = session.get(TokenRow, name)
            if row is None:
                return None
            if row.revoked_us is None:
                row.revoked_us = act.at_us
                session.add(row)
                session.flush()
                auditing.add(connection, act)
            return _token(row)

    def used(self, name: str, at_us: int) -> None:
        """Note that a token was shown."""
        with self._database.write() as connection:
            connection.execute(update(TokenRow).where(col(TokenRow.name) == name).values(used_us=at_us))


def _token(row: TokenRow) -> Token:
    return Token(
        name=row.name,
        digest=row.digest,
        role=Role(row.role),
        groups=frozenset(json.loads(row.groups)),
        created_us=row.created_us,
        created_by=row.created_by,
        expires_us=row.expires_us,
        revoked_us=row.revoked_us,
        used_us=row.used_us,
    )


def _row(token: Token) -> TokenRow:
    return TokenRow(
        name=token.name,
        digest=token.digest,
        role=token.role.value,
        groups=json.dumps(sorted(token.groups)),
        created_us=token.created_us,
        created_by=token.created_by,
        expires_us=token.expires_us,
        revoked_us=token.revoked_us,
        used_us=token.used_us,
    )
