/** The server of the task list on a free port, and its people. */
import { connect } from "node:net"
import * as path from "node:path"
import { NodeContext } from "@effect/platform-node"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Effect, Exit, Layer, Scope } from "effect"
import { openTaskList } from "../../../examples/task-list/people.js"
import { serve } from "../../../examples/task-list/server.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import { eventSource } from "../http/eventSource.js"
import { type Answer, ask } from "../http/http.js"
import { tempDir } from "../tempDir.js"

/** A record as clients get it. */
export interface Row {
  readonly key: string
  readonly seq: number
  readonly data: { readonly [field: string]: unknown }
}

/** A person of the list: what the link of this name lets a window do. */
export interface Person {
  readonly token: string
  /** Sends an operation of a window of this person, or the bytes of a body. */
  readonly post: (operation: unknown) => Effect.Effect<Answer>
  /** Sends a mark of a task. */
  readonly mark: (mark: unknown) => Effect.Effect<Answer>
  readonly ask: (path: string) => Effect.Effect<Answer>
  readonly follow: (client: string, lastEventId?: string) => ReturnType<typeof eventSource<Row>>
}

/** How long a window may be away, in milliseconds. */
const grace = 50

const personOf = (port: number, token: string): Person => {
  const headers = { authorization: `Bearer ${token}` }
  const live = `http://127.0.0.1:${port}/tasks/live?token=${token}`
  const post = (path: string) => (given: unknown) => {
    const body = given instanceof Uint8Array ? given : JSON.stringify(given)
    return ask(port, path, { method: "POST", headers, body })
  }
  return {
    token,
    post: post("/tasks"),
    mark: post("/marks"),
    ask: (path) => ask(port, path, { method: "POST", headers }),
    follow: (client, lastEventId) =>
      eventSource<Row>(`${live}&client=${client}${lastEventId ? `&lastEventId=${lastEventId}` : ""}`)
  }
}

/** Serves the list of a file until the scope closes, or it is stopped. */
export const serving = (filename: string, wanted = 0, guestFor?: number) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const services = Layer.merge(SqliteClient.layer({ filename }), NodeContext.layer)
    const { list, url } = yield* Effect.gen(function* () {
      const list = yield* openTaskList(SqlDatastore.make({ table: "shared" }), grace, guestFor)
      return { list, url: yield* serve(list, wanted) }
    }).pipe(Effect.provide(yield* Layer.buildWithScope(services, scope)), Scope.extend(scope))
    const port = Number(new URL(url).port)
    const named = (name: string): Person => {
      const token = list.links().find((link) => link.name === name)?.id ?? ""
      return personOf(port, token)
    }
    return { port, url, named, marks: list.marks, stop: Scope.close(scope, Exit.void) }
  })

/** The file of a list of its own. */
export const listFile = Effect.map(tempDir, (folder) => path.join(folder, "tasks.db"))

/** What is read of a raw connection until `enough` holds for it, or the server closes it. */
export const exchange = (
  port: number,
  sent: string | Uint8Array,
  enough: (text: string) => boolean
): Effect.Effect<string> =>
  Effect.async((resume) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(sent))
    let text = ""
    const done = () => {
      socket.destroy()
      resume(Effect.succeed(text))
    }
    socket.setEncoding("latin1")
    socket.on("data", (part: string) => {
      text += part
      if (enough(text)) done()
    })
    socket.on("error", (error) => resume(Effect.die(error)))
    socket.on("close", done)
    return Effect.sync(() => socket.destroy())
  })

/** The text of a POST to the list, as it goes over a connection. */
export const postText = (token: string, body: string | undefined, headers: ReadonlyArray<string>): string =>
  [
    "POST /tasks HTTP/1.1",
    "Host: localhost",
    `Authorization: Bearer ${token}`,
    ...headers,
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    "",
    body ?? ""
  ].join("\r\n")
