/** A proxy that compresses what its client takes compressed, in the way of the middleware `compression`. */
import { once } from "node:events"
import { createServer, request } from "node:http"
import { createGzip } from "node:zlib"
import { Effect, type Scope } from "effect"

const isText = /^text\/|json|javascript/
const noTransform = /(?:^|,)\s*?no-transform\s*?(?:,|$)/

/** Listens on a free loopback port in front of another one, and ends with the scope. It gives its port. */
export const compressingProxy = (target: number): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const server = createServer((asked, answer) => {
          const { accept, "accept-encoding": encodings = "", "last-event-id": id } = asked.headers
          const headers = { ...(accept && { accept }), ...(id && { "last-event-id": id }) }
          const onwards = request(
            { host: "127.0.0.1", port: target, path: asked.url, agent: false, headers },
            (response) => {
              const { "cache-control": control = "", "content-type": type = "" } = response.headers
              const compresses =
                String(encodings).includes("gzip") && isText.test(type) && !noTransform.test(control)
              answer.writeHead(response.statusCode ?? 502, {
                ...response.headers,
                ...(compresses && { "content-encoding": "gzip" })
              })
              if (compresses) response.pipe(createGzip()).pipe(answer)
              else response.pipe(answer)
            }
          )
          onwards.on("error", () => answer.destroy())
          answer.on("close", () => onwards.destroy())
          onwards.end()
        })
        server.listen(0, "127.0.0.1")
        await once(server, "listening")
        return server
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    ),
    (server) => {
      const address = server.address()
      return address === null || typeof address === "string" ? 0 : address.port
    }
  )
