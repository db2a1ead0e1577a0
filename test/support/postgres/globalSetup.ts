import type { TestProject } from "vitest/node"
import { type PostgresServer, startPostgres, systemFolder } from "./server.js"

declare module "vitest" {
  interface ProvidedContext {
    readonly databases: ReadonlyArray<{ readonly name: string; readonly url: string }>
  }
}

// One server serves all test files of a run. TEST_POSTGRES=all adds the system's, which is of another version where there
// is one: that costs each suite over Postgres its time again. TEST_POSTGRES=off is for runs that use none.
export default async (project: TestProject) => {
  const given = process.env.DATABASE_URL
  if (given !== undefined && given !== "") {
    project.provide("databases", [{ name: "DATABASE_URL", url: given }])
    return
  }
  if (process.env.TEST_POSTGRES === "off") {
    project.provide("databases", [])
    return
  }
  const isBoth = process.env.TEST_POSTGRES === "all" && systemFolder() !== undefined
  const kinds = isBoth ? (["embedded", "system"] as const) : (["embedded"] as const)
  // No test cuts the power: what a server has told the system survives the server.
  const settings = { fsync: "off" }
  const started = await Promise.allSettled(kinds.map((binaries) => startPostgres({ binaries, settings })))
  const servers = started.filter((result) => result.status === "fulfilled").map((result) => result.value)
  const stop = () => Promise.all(servers.map((server: PostgresServer) => server.stop()))
  const failed = started.find((result) => result.status === "rejected")
  if (failed !== undefined) {
    await stop()
    throw failed.reason
  }
  project.provide(
    "databases",
    servers.map((server, index) => ({
      name: `PostgreSQL ${server.version.split(" ")[0]} (${kinds[index]})`,
      url: server.url
    }))
  )
  return stop
}
