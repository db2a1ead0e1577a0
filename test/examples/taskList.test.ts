/** The task list over HTTP: what its windows get, and what each kind of link may do. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { exchange, listFile, type Row, serving } from "../support/examples/taskList.js"
import type { Received } from "../support/http/eventSource.js"

const task = (id: string, more: object = {}) => ({
  id: `task/${id}`,
  text: id,
  done: false,
  hidden: false,
  ...more
})

const set = (id: string, more?: object) => ({ _tag: "Set", data: task(id, more) })

const patch = (id: string, fields: object, expect?: number) => ({
  _tag: "Patch",
  key: `task/${id}`,
  set: fields,
  expect
})

const remove = (id: string) => ({ _tag: "Delete", key: `task/${id}` })

/** What a window was sent of tasks: the keys and texts of snapshots and events, in order. */
const tasksIn = (received: ReadonlyArray<Received<Row>>): ReadonlyArray<string> =>
  received
    .flatMap((each): ReadonlyArray<{ readonly key: string; readonly value?: Row }> => {
      if (each.name === "events") return each.data.events
      return each.name === "snapshot" ? each.data.entries : []
    })
    .filter(({ key }) => key.startsWith("task/"))
    .map(({ key, value }) => `${key.slice(5)} ${value === undefined ? "gone" : value.data.text}`)

const isSynced = (received: ReadonlyArray<Received<Row>>) => received.some(({ name }) => name === "synced")

const namesOf = (received: ReadonlyArray<Received<Row>>) => received.map(({ name }) => name)

const hereIn = (received: ReadonlyArray<Received<Row>>): ReadonlyArray<string> =>
  received.flatMap((each) =>
    each.name === "events"
      ? each.data.events.flatMap((event) =>
          event.key.startsWith("here/") ? [`${event.type} ${event.key}`] : []
        )
      : []
  )

const ofClient = (client: string) => {
  let n = 0
  return (...steps: ReadonlyArray<object>) => ({ client, n: ++n, steps })
}

describe("the task list over HTTP", { timeout: 60_000 }, () => {
  it.scopedLive("delivers what one window adds, edits and deletes to another one, in order", () =>
    Effect.gen(function* () {
      const { named } = yield* serving(yield* listFile)
      const [ada, bob] = [named("ada"), named("bob")]
      const window = yield* bob.follow("b1")
      yield* window.until(isSynced)
      const by = ofClient("a1")
      const added = yield* ada.post(by(set("x"), set("y")))
      expect([added.status, JSON.parse(added.body).rows.map((row: Row) => row.key)]).toEqual([
        200,
        ["task/x", "task/y"]
      ])
      expect((yield* ada.post(by(patch("x", { text: "x2" })))).status).toBe(200)
      expect((yield* ada.post(by(remove("y")))).status).toBe(200)
      yield* window.until((received) => tasksIn(received).length >= 4)
      expect(tasksIn(window.received)).toEqual(["x x", "y y", "x x2", "y gone"])
    })
  )

  it.scopedLive("answers an operation that is sent again alike, and applies it once", () =>
    Effect.gen(function* () {
      const { named } = yield* serving(yield* listFile)
      const ada = named("ada")
      const operation = ofClient("a1")(set("x"))
      const first = yield* ada.post(operation)
      const again = yield* ada.post(operation)
      expect([first.status, again.status, again.body]).toEqual([200, 200, first.body])
      const other = yield* ada.post({ ...operation, steps: [set("z")] })
      expect([other.status, JSON.parse(other.body).reason]).toEqual([409, "IdReused"])
    })
  )

  it.scopedLive("refuses an edit of what has changed meanwhile, with the present record", () =>
    Effect.gen(function* () {
      const { named } = yield* serving(yield* listFile)
      const by = ofClient("a1")
      const added = yield* named("ada").post(by(set("x")))
      const [{ seq }] = JSON.parse(added.body).rows
      expect((yield* named("bob").post(ofClient("b1")(patch("x", { text: "bob" }, seq)))).status).toBe(200)
      const late = yield* named("ada").post(by(patch("x", { text: "ada" }, seq)))
      expect([late.status, JSON.parse(late.body)]).toEqual([
        409,
        expect.objectContaining({
          reason: "Conflict",
          row: expect.objectContaining({ data: task("x", { text: "bob" }) })
        })
      ])
    })
  )

  it.scopedLive("goes on after the last event that a window got before it was cut off", () =>
    Effect.gen(function* () {
      const { named } = yield* serving(yield* listFile)
      const by = ofClient("a1")
      const [ada, bob] = [named("ada"), named("bob")]
      const window = yield* bob.follow("b1")
      yield* window.until(isSynced)
      yield* ada.post(by(set("x")))
      yield* window.until((received) => tasksIn(received).length === 1)
      yield* window.close
      yield* ada.post(by(set("y")))
      yield* ada.post(by(remove("x")))
      const again = yield* bob.follow("b1", window.received.at(-1)?.lastEventId)
      yield* again.until((received) => tasksIn(received).length >= 2)
      expect(tasksIn(again.received)).toEqual(["y y", "x gone"])
      expect(namesOf(again.received)).not.toContain("snapshot")
    })
  )

  it.scopedLive("shows who is here, and who has gone after the grace", () =>
    Effect.gen(function* () {
      const { named } = yield* serving(yield* listFile)
      const window = yield* named("ada").follow("a1")
      yield* window.until(isSynced)
      const guest = yield* named("guest").follow("g1")
      yield* window.until((received) => hereIn(received).includes("put here/g1"))
      yield* guest.close
      yield* window.until((received) => hereIn(received).includes("delete here/g1"))
      expect(hereIn(window.received).filter((line) => line.includes("g1"))).toEqual([
        "put here/g1",
        "delete here/g1"
      ])
      const forged = { _tag: "Delete", key: "here/a1" }
      const refused = yield* named("bob").post(ofClient("b1")(forged))
      expect([refused.status, JSON.parse(refused.body).reason]).toEqual([403, "Forbidden"])
    })
  )

  it.scopedLive("names a task to a reader only while it is not hidden, and takes no write of a reader", () =>
    Effect.gen(function* () {
      const { named } = yield* serving(yield* listFile)
      const [ada, guest] = [named("ada"), named("guest")]
      const by = ofClient("a1")
      yield* ada.post(by(set("x", { hidden: true, text: "secret" }), set("y")))
      const window = yield* guest.follow("g1")
      yield* window.until(isSynced)
      yield* ada.post(by(patch("x", { text: "shown", hidden: false })))
      yield* ada.post(by(patch("x", { text: "secret again", hidden: true })))
      yield* ada.post(by(set("z")))
      yield* window.until((received) => tasksIn(received).includes("z z"))
      expect(tasksIn(window.received)).toEqual(["y y", "x shown", "x gone", "z z"])
      expect(JSON.stringify(window.received)).not.toContain("secret")
      const refused = yield* guest.post(ofClient("g1")(remove("y")))
      expect([refused.status, JSON.parse(refused.body).reason]).toEqual([403, "Forbidden"])
    })
  )

  it.scopedLive("ends the stream of a link that is revoked, for good, and refuses what it sends", () =>
    Effect.gen(function* () {
      const file = yield* listFile
      const { named, port, stop } = yield* serving(file)
      const [ada, guest] = [named("ada"), named("guest")]
      const by = ofClient("a1")
      const window = yield* guest.follow("g1")
      yield* window.until(isSynced)
      expect((yield* guest.ask("/revoke")).status).toBe(403)
      expect((yield* ada.ask("/revoke")).body).toBe('{"token":null}')
      yield* ada.post(by(set("x")))
      yield* window.until((received) => namesOf(received).includes("end"))
      const ended = { reason: "Unauthorized", next: "stop" }
      expect(window.received.at(-1)).toMatchObject({ name: "end", data: ended })
      expect(tasksIn(window.received)).toEqual([])
      yield* window.close
      const again = yield* guest.follow("g1", window.received.at(-1)?.lastEventId)
      yield* again.until((received) => received.length > 0)
      expect(again.received).toMatchObject([{ name: "end", data: ended }])
      expect((yield* guest.post(ofClient("g1")(set("y")))).status).toBe(403)
      yield* stop
      const later = yield* serving(file, port)
      expect((yield* guest.post(ofClient("g1")(set("y")))).status).toBe(403)
      expect(later.named("guest").token).toBe(guest.token)
    })
  )

  it.scopedLive("keeps tasks and links over a restart, and every window goes on where it was", () =>
    Effect.gen(function* () {
      const file = yield* listFile
      const first = yield* serving(file)
      const [ada, bob] = [first.named("ada"), first.named("bob")]
      const by = ofClient("a1")
      const window = yield* bob.follow("b1")
      yield* window.until(isSynced)
      const operation = by(set("x"))
      const answer = yield* ada.post(operation)
      yield* window.until((received) => tasksIn(received).length === 1)
      yield* first.stop
      yield* serving(file, first.port)
      // Its reply may have been lost with the server.
      expect((yield* ada.post(operation)).body).toBe(answer.body)
      yield* ada.post(by(patch("x", { done: true, text: "x2" })))
      yield* window.until((received) => tasksIn(received).at(-1) === "x x2")
      // The rights may be others after a restart: what is visible by them comes first.
      expect(namesOf(window.received).filter((name) => name === "snapshot")).toHaveLength(2)
      expect(tasksIn(window.received).filter((shown) => shown !== "x x" && shown !== "x x2")).toEqual([])
    })
  )

  it.scopedLive(
    "merges votes and labels, and keeps a label that is added while another window removes it",
    () =>
      Effect.gen(function* () {
        const file = yield* listFile
        const first = yield* serving(file)
        const [ada, bob] = [first.named("ada"), first.named("bob")]
        const mark = (client: string, mark: object) => ({ client, task: "task/x", mark })
        const votes = Effect.all(
          [
            ada.mark(mark("a1", { _tag: "Vote", votes: 1 })),
            ada.mark(mark("a2", { _tag: "Vote", votes: 2 })),
            bob.mark(mark("b1", { _tag: "Vote", votes: 1 }))
          ],
          { concurrency: "unbounded" }
        )
        expect((yield* votes).map(({ status }) => status)).toEqual([200, 200, 200])
        const add = (label: string) => ada.mark(mark("a1", { _tag: "Add", label }))
        yield* add("cheap")
        yield* add("green")
        const { rows } = yield* first.marks.state()
        const [, ...seen] = rows.find(([key]) => key === "task/x")![2].find(([field]) => field === "labels")!
        yield* add("cheap")
        for (const label of ["cheap", "green"]) {
          expect((yield* bob.mark(mark("b1", { _tag: "Remove", label, seen }))).status).toBe(200)
        }
        yield* first.stop
        const { marks, port } = yield* serving(file)
        const row = Option.getOrThrow(yield* marks.get("task/x"))
        expect([row.get("votes"), row.get("labels")]).toEqual([4, ["cheap"]])
        const headers = "HTTP/1.1\r\nHost: localhost\r\n\r\n"
        const events = yield* exchange(port, `GET /marks/live?token=${ada.token} ${headers}`, (text) =>
          text.includes("event: snapshot")
        )
        expect(events).toContain('"value":["cheap"]')
        const guest = first.named("guest").token
        const refused = yield* exchange(port, `GET /marks/live?token=${guest} ${headers}`, (text) =>
          text.includes("}")
        )
        expect(refused).toMatch(/^HTTP\/1\.1 403 .*"Forbidden"/s)
      })
  )
})
