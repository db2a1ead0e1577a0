import { rmSync } from "node:fs"
import { get } from "node:http"
import * as path from "node:path"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { databaseUrls } from "../support/postgres/databases.js"
import { demoScript, startDemo } from "../support/processes/demo.js"

// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())
let script: string
beforeAll(async () => {
  script = await Effect.runPromise(Scope.extend(demoScript, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const account = /accepted (\d+) = stored (\d+) \+ set aside 0 \+ dropped 0 \+ handed back 0/

const statusOf = (url: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.resume()
      response.on("end", () => resolve(response.statusCode))
    }).on("error", reject)
  })

describe("the demo", { timeout: 120_000 }, () => {
  it("measures, reads back and balances on Postgres", async () => {
    const demo = startDemo(script, databaseUrls()[0]?.url ?? "", ["--requests", "100"])
    expect([await demo.exit, demo.output()]).toEqual([0, expect.stringMatching(account)])
    // 50 before the database has opened, 50 to warm up, twice 100, and 3 orders with 3 queries after them.
    expect(account.exec(demo.output())?.slice(1)).toEqual(["306", "306"])
    expect(demo.output()).toContain("the recorder is Starting, 50 records wait")
    expect(demo.output()).not.toContain("not-recorded")
  })

  it.each(["SIGTERM", "SIGINT"] as const)("serves until %s, then closes with the account", async (signal) => {
    const demo = startDemo(script, "", ["--serve", "--port", "0"])
    const [, url] = await demo.saw(/serving (http:\/\/[\d.:]+)\/orders/)
    const [, file] = await demo.saw(/file (.+)\n/)
    for (let i = 1; i <= 5; i++) expect(await statusOf(`${url}/orders/${i}`)).toBe(200)
    demo.child.kill(signal)
    expect([await demo.exit, account.exec(demo.output())?.slice(1)]).toEqual([0, ["5", "5"]])
    rmSync(path.dirname(file!), { recursive: true })
  })

  it("fails when the database refuses it, and prints why", async () => {
    const url = new URL(databaseUrls()[0]?.url ?? "")
    url.pathname = "/no_such_database"
    const demo = startDemo(script, url.href, ["--requests", "100"])
    expect([await demo.exit, demo.output()]).toEqual([1, expect.stringContaining("no_such_database")])
  })

  it("refuses arguments that it does not know", async () => {
    const demo = startDemo(script, "", ["--requests", "ten"])
    expect([await demo.exit, demo.output()]).toEqual([1, expect.stringContaining("--port takes a port")])
  })
})
