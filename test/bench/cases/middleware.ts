/** What the HTTP audit adds to a request, without any storage. */
import { IncomingMessage, ServerResponse } from "node:http"
import { Socket } from "node:net"
import { HttpRouter, HttpServerResponse } from "@effect/platform"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect } from "effect"
import * as HttpAudit from "../../../src/platform/HttpAudit.js"
import { type Case, interleave } from "../support/bench.js"
import { nowhere, turn, withRecorder } from "../support/recorders.js"

const count = 500

const app = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/orders/:id",
    Effect.map(HttpRouter.params, ({ id }) => HttpServerResponse.unsafeJson({ id }))
  )
)

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A response that is written to nobody. */
class Unsent extends ServerResponse {
  static ended = 0

  override end(...args: ReadonlyArray<unknown>): this {
    Unsent.ended++
    const done = args.at(-1)
    if (typeof done === "function") done()
    return this
  }
}

const socket = new Socket()

const makeRequest = (id: number): IncomingMessage => {
  const request = new IncomingMessage(socket)
  request.method = "GET"
  request.url = `/orders/${id}?with=lines`
  request.headers = { host: "localhost:3000", "user-agent": "bench", accept: "*/*", connection: "keep-alive" }
  return request
}

/** Microseconds per request, from the parsed request to the written head. */
const timed = async (handler: Handler, after: () => Promise<void>): Promise<number> => {
  const before = Unsent.ended
  const start = performance.now()
  for (let id = 0; id < count; id++) {
    const request = makeRequest(id)
    handler(request, new Unsent(request))
  }
  await after()
  const took = performance.now() - start
  if (Unsent.ended !== before + count)
    throw new Error("a request was not answered in the turn that it came in")
  return (took * 1000) / count
}

// What requests leave for later is theirs too, and a batch is saved at the end of a turn.
const twoTurns = async () => {
  await turn()
  await turn()
}

export const middleware: Case = {
  name: "middleware",
  about: "the HTTP audit's cost per request without a storage, over the same server without it",
  run: (bench) =>
    withRecorder(nowhere<HttpAudit.Entry>(), {}, async (recorder) => {
      const plain = await Effect.runPromise(NodeHttpServer.makeHandler(app))
      const over = (saver: typeof recorder) =>
        Effect.runPromise(
          Effect.flatMap(HttpAudit.make(saver), (audit) => NodeHttpServer.makeHandler(app, audit))
        )
      const deaf = await over({ ...recorder, unsafeSave: () => true })
      const audited = await over(recorder)
      const samples = await interleave(
        { rounds: bench.pairs, parts: 11, warmUps: 2 },
        {
          plain: () => timed(plain, twoTurns),
          deaf: () => timed(deaf, twoTurns),
          audited: () => timed(audited, twoTurns)
        }
      )
      const added = (over: ReadonlyArray<number>) => over.map((micros, i) => micros - samples.plain[i]!)
      bench.figure("a request without the audit", samples.plain, "us/request")
      bench.figure("with it, its records thrown away", samples.deaf, "us/request")
      bench.figure("with it, over a Recorder that stores nowhere", samples.audited, "us/request")
      bench.figure("so the middleware adds", added(samples.deaf), "us/request")
      bench.figure("and the middleware with its Recorder", added(samples.audited), "us/request")
      bench.ratio("audited to not audited, no network", samples.audited, samples.plain)
    })
}
