"""FastAPI with SQLModel, as their documentation teaches: session and user by dependency, a response model."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Response
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from game.core.database import engine as connect

engine = connect(os.environ["DATABASE_URL"], pool_size=10, max_overflow=0)
app = FastAPI()


class Account(SQLModel, table=True):
    id: UUID = Field(primary_key=True)
    is_active: bool


class AuthSession(SQLModel, table=True):
    __tablename__ = "auth_session"
    id: UUID = Field(primary_key=True)
    user_id: UUID
    expires_at: datetime


class UniverseRead(SQLModel):
    id: UUID = Field(primary_key=True)
    name: str
    description: str
    owner_id: UUID
    version: int
    created_at: datetime
    updated_at: datetime


class Universe(UniverseRead, table=True):
    pass


class Member(SQLModel, table=True):
    universe_id: UUID = Field(primary_key=True)
    user_id: UUID = Field(primary_key=True)
    role: str


class MapRead(SQLModel):
    id: UUID = Field(primary_key=True)
    universe_id: UUID
    name: str
    description: str
    grid_data: dict[str, Any] = Field(sa_type=JSONB)
    version: int
    created_at: datetime
    updated_at: datetime


class Map(MapRead, table=True):
    __tablename__ = "bench_map"


class UniversePage(SQLModel):
    items: list[UniverseRead]
    next_cursor: str | None


async def get_session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine) as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
Token = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="token"))]


async def get_current_user(token: Token, session: Session) -> Account:
    try:
        claims = jwt.decode(token, os.environ["JWT_KEY"], ["HS256"], audience="worldkeep:access")
    except jwt.PyJWTError:
        raise HTTPException(401) from None
    login = await session.get(AuthSession, UUID(claims["sid"]))
    user = await session.get(Account, UUID(claims["sub"]))
    if login is None or user is None or login.user_id != user.id:
        raise HTTPException(401)
    if not user.is_active or login.expires_at <= datetime.now(UTC):
        raise HTTPException(401)
    return user


CurrentUser = Annotated[Account, Depends(get_current_user)]
IfNoneMatch = Annotated[str | None, Header()]


@app.get("/universes/{id}", response_model=UniverseRead)
async def read_universe(
    id: UUID, user: CurrentUser, session: Session, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    universe = await session.get(Universe, id)
    if universe is None or await session.get(Member, (id, user.id)) is None:
        raise HTTPException(404)
    response.headers["ETag"] = etag = f'"{universe.version}"'
    return Response(status_code=304, headers={"ETag": etag}) if if_none_match == etag else universe


@app.get("/universes", response_model=UniversePage)
async def list_universes(
    user: CurrentUser,
    session: Session,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: UUID | None = None,
) -> Any:
    statement = select(Universe).join(Member, col(Member.universe_id) == Universe.id)
    statement = statement.where(Member.user_id == user.id).order_by(col(Universe.id)).limit(limit + 1)
    if cursor:
        statement = statement.where(Universe.id > cursor)
    rows = (await session.exec(statement)).all()
    return {"items": rows[:limit], "next_cursor": str(rows[limit - 1].id) if len(rows) > limit else None}


@app.get("/maps/{id}", response_model=MapRead)
async def read_map(
    id: UUID, user: CurrentUser, session: Session, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    statement = select(Map).join(Member, col(Member.universe_id) == Map.universe_id)
    mine = Member.user_id == user.id, col(Member.role).in_(["owner", "game_master"])
    row = (await session.exec(statement.where(Map.id == id, *mine))).one_or_none()
    if row is None:
        raise HTTPException(404)
    response.headers["ETag"] = etag = f'"{row.version}"'
    return Response(status_code=304, headers={"ETag": etag}) if if_none_match == etag else row
