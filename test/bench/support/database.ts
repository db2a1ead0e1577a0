/** A PostgreSQL server for the benchmarks: one that the bench starts, or the one of DATABASE_URL. */
import { createSchema, startPostgres } from "../../support/postgres/server.js"

export interface Database {
  readonly url: string
  readonly version: string
}

/** The usual settings, but for a checkpoint or a vacuum in the middle of somebody's sample. */
const settings = {
  shared_buffers: "128MB",
  max_wal_size: "8GB",
  checkpoint_timeout: "1h",
  autovacuum: "off"
}

/** Uses a server of its own; of the one of DATABASE_URL a schema, which is removed afterwards. */
export const withDatabase = async <A>(use: (database: Database) => Promise<A>): Promise<A> => {
  const given = process.env.DATABASE_URL
  if (given !== undefined && given !== "") {
    const schema = await createSchema(given)
    try {
      return await use({ url: schema.url, version: "of DATABASE_URL" })
    } finally {
      await schema.drop()
    }
  }
  const server = await startPostgres({ settings })
  try {
    return await use(server)
  } finally {
    await server.stop()
  }
}
