// Fastify with @fastify/jwt and node-postgres: one prepared statement a request, a response schema, no log.
import Fastify from 'fastify'
import jwt from '@fastify/jwt'
import pg from 'pg'

const [socket, database] = [process.env.PGHOST, process.env.PGDATABASE]
const pool = new pg.Pool({ host: socket, database, user: process.env.PGUSER, max: 10 })
const app = Fastify()

// Verified signatures are remembered, as the server under test does it.
await app.register(jwt, {
  secret: process.env.JWT_KEY,
  verify: { allowedAud: 'worldkeep:access', requiredClaims: ['sub', 'sid', 'exp', 'aud'], cache: 4096 }
})
app.addHook('onRequest', async (request, reply) => {
  try {
    await request.jwtVerify()
  } catch {
    return reply.code(401).send({ code: 'UNAUTHORIZED' })
  }
})

const AUTHENTICATED = `
  FROM auth_session s JOIN account a ON a.id = s.user_id AND a.is_active
  WHERE s.id = $1 AND s.user_id = $2 AND s.expires_at > now()`
const string = { type: 'string' }
const times = { version: { type: 'integer' }, created_at: string, updated_at: string }
const universe = {
  type: 'object', properties: { id: string, name: string, description: string, owner_id: string, ...times }
}
const map = {
  type: 'object',
  properties: {
    id: string, universe_id: string, name: string, description: string,
    grid_data: { type: 'object', additionalProperties: true }, ...times
  }
}
const page = {
  type: 'object',
  properties: { items: { type: 'array', items: universe }, next_cursor: { type: ['string', 'null'] } }
}

const ask = async (request, name, text, ...values) =>
  (await pool.query({ name, text, values: [request.user.sid, request.user.sub, ...values] })).rows

// Without a row: either the log-in has ended, or there is nothing to read.
const refuse = async (request, reply) => {
  const [session] = await ask(request, 'session', `SELECT 1 ${AUTHENTICATED}`)
  return session ? reply.code(404).send({ code: 'NOT_FOUND' }) : reply.code(401).send({ code: 'UNAUTHORIZED' })
}

const one = (name, text) => async (request, reply) => {
  const [row] = await ask(request, name, text, request.params.id)
  if (!row) return refuse(request, reply)
  const etag = `"${row.version}"`
  reply.header('etag', etag)
  return request.headers['if-none-match'] === etag ? reply.code(304).send() : row
}
const params = { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } }

app.get('/universes/:id', { schema: { params, response: { 200: universe } } }, one('universe', `
  SELECT u.id, u.name, u.description, u.owner_id, u.version, u.created_at, u.updated_at
  ${AUTHENTICATED.replace('WHERE', 'JOIN universe u ON u.owner_id = a.id WHERE u.id = $3 AND')}`))

app.get('/maps/:id', { schema: { params, response: { 200: map } } }, one('map', `
  SELECT m.id, m.universe_id, m.name, m.description, m.grid_data, m.version, m.created_at, m.updated_at
  ${AUTHENTICATED.replace('WHERE', `JOIN universe u ON u.owner_id = a.id
    JOIN bench_map m ON m.universe_id = u.id WHERE m.id = $3 AND`)}`))

const querystring = {
  type: 'object',
  properties: { limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 }, cursor: string }
}
app.get('/universes', { schema: { querystring, response: { 200: page } } }, async (request, reply) => {
  const { limit, cursor } = request.query
  const rows = await ask(request, 'universes', `
    SELECT u.id, u.name, u.description, u.owner_id, u.version, u.created_at, u.updated_at
    ${AUTHENTICATED.replace('WHERE', 'JOIN universe u ON u.owner_id = a.id WHERE')}
    AND ($3::uuid IS NULL OR u.id > $3) ORDER BY u.id LIMIT $4`, cursor ?? null, limit + 1)
  if (!rows.length) {
    const [session] = await ask(request, 'session', `SELECT 1 ${AUTHENTICATED}`)
    if (!session) return reply.code(401).send({ code: 'UNAUTHORIZED' })
  }
  return { items: rows.slice(0, limit), next_cursor: rows.length > limit ? rows[limit - 1].id : null }
})

await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
