/** Loads a server by autocannon, in a process of its own. */
import { createRequire } from "node:module"
import { Command } from "@effect/platform"
import { Effect, Schema } from "effect"

const Result = Schema.parseJson(
  Schema.Struct({
    duration: Schema.Number,
    errors: Schema.Number,
    timeouts: Schema.Number,
    "2xx": Schema.Number,
    non2xx: Schema.Number,
    latency: Schema.Struct({ p50: Schema.Number, p99: Schema.Number })
  })
)

/** The result of a load. Latencies are in milliseconds. */
export interface Load {
  readonly answered: number
  readonly failed: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

const autocannon = createRequire(import.meta.url).resolve("autocannon")

/** Sends the requests over the connections as fast as they are answered. */
export const run = (url: string, requests: number, connections: number) =>
  Command.make(
    process.execPath,
    ...[autocannon, "--json", "--amount", String(requests), "--connections", String(connections)],
    // autocannon ends at the first sample after the last answer: with its default of a second, rates would be rounded.
    ...["-L", "20", "--headers", "x-user=alice", url]
  ).pipe(
    Command.stderr("inherit"),
    Command.string,
    Effect.flatMap(Schema.decode(Result)),
    Effect.map(
      (result): Load => ({
        answered: result["2xx"],
        failed: result.errors + result.timeouts + result.non2xx,
        perSecond: result["2xx"] / result.duration,
        p50: result.latency.p50,
        p99: result.latency.p99
      })
    )
  )
