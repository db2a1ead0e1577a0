/** What was removed does not come back after its removal is forgotten, and no edit is lost without a word. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Merge from "../../src/internal/mergePool/merge.js"
import * as Replica from "../../src/internal/mergePool/replica.js"
import * as Stamp from "../../src/internal/mergePool/stamp.js"
import * as State from "../../src/internal/mergePool/state.js"
import { ensureSame } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"
import { changes, contentOf, empty, joined, made, replicaOf, start } from "../support/mergePool/pools.js"

const hour = 3_600_000
const title = (value: string, key = "r") => ({ key, field: "title", edit: { _tag: "Write", value } }) as const
const vote = (by: number, key = "r") => ({ key, field: "votes", edit: { _tag: "Count", by } }) as const
const add = (element: string) => ({ key: "r", field: "labels", edit: { _tag: "Add", element } }) as const

/** A client that was away for two hours, and a server whose pool has removed the row meanwhile. */
const apart = () => {
  const server = replicaOf(9)
  const client = replicaOf(1)
  const before = [made(client, title("old")), made(client, vote(5)), made(client, add("x"))]
  joined(server.state, ...before)
  for (const { stamp } of client.unsent.slice()) Replica.acknowledge(client, stamp)
  made(server, { key: "r", edit: "remove" }, start + 1)
  State.raise(server.state, Stamp.first(start + hour))
  return { server: server.state, client }
}

describe("the horizon", () => {
  it("forgets rows, fields and elements that were removed, and keeps what is there", () => {
    const one = replicaOf(1)
    for (const change of [title("a"), vote(1), add("x"), title("b", "s")]) made(one, change)
    made(one, { key: "r", edit: "remove" })
    made(one, { key: "s", field: "title", edit: "remove" })
    made(one, vote(2, "s"))
    expect(one.state.removals).toBe(2)
    const at = Stamp.first(start + hour)
    State.raise(one.state, at)
    expect([one.state.removals, one.state.rows.size]).toEqual([0, 1])
    expect(State.read(one.state, "s")).toEqual({ votes: 2 })
    expect(JSON.stringify(State.whole(one.state))).not.toContain('"r"')
    expect(State.raise(one.state, Stamp.first(start))).toEqual([])
    expect(one.state.horizon).toBe(at)
  })

  it("lets nothing come back that was removed, and hands out edits of before it", () => {
    const { client, server } = apart()
    const early = title("early")
    made(client, early, start + 2)
    made(client, title("late", "s"), start + 2 * hour)
    const refused = Merge.merge(server, State.whole(client.state), { now: start + 2 * hour })
    expect(refused).toMatchObject({ _tag: "TooOld" })
    expect(State.read(server, "r")).toBeUndefined()
    expect(Replica.replace(client, State.whole(server))).toEqual({ _tag: "Replaced", tooOld: [early] })
    for (const { patch } of client.unsent) expect(Merge.merge(server, patch)._tag).toBe("Merged")
    expect([State.read(server, "r"), State.read(server, "s")]).toEqual([undefined, { title: "late" }])
    expect(contentOf(client.state)).toBe(contentOf(server))
  })

  it("lets a count of after it begin anew, without what was removed", () => {
    const { client, server } = apart()
    made(client, vote(1), start + 2 * hour)
    // As it was made, it would bring back the five that were removed.
    expect(Merge.merge(server, client.unsent[0]!.patch)).toMatchObject({ _tag: "TooOld" })
    Replica.replace(client, State.whole(server))
    for (const { patch } of client.unsent) expect(Merge.merge(server, patch)._tag).toBe("Merged")
    expect(State.read(server, "r")).toEqual({ votes: 1 })
  })

  it("refuses an element, a removal and a value of before it that were not held, all at once, and names them", () => {
    const server = replicaOf(9)
    made(server, title("here"), start + 2)
    State.raise(server.state, Stamp.first(start + hour))
    const late = replicaOf(1)
    const sent = [
      made(late, title("t", "new")),
      made(late, add("x")),
      made(late, { key: "r", field: "title", edit: "remove" }, start + 3),
      made(late, { key: "r", edit: "remove" }, start + 4)
    ]
    const content = contentOf(server.state)
    const all = { horizon: "", rows: sent.flatMap(({ rows }) => rows) }
    expect(Merge.merge(server.state, all)).toEqual({
      _tag: "TooOld",
      at: [
        { row: "new", field: "title" },
        { row: "r", field: "labels" },
        { row: "r", field: "title" },
        { row: "r", field: "" }
      ]
    })
    expect(contentOf(server.state)).toBe(content)
  })

  it("above that of a pool is refused: only the server raises it", () => {
    const server = empty()
    expect(Merge.merge(server, { horizon: Stamp.first(start), rows: [] })).toMatchObject({
      _tag: "Malformed"
    })
  })

  it("M9: leaves replicas equal, whatever they did before it and after it", () => {
    const step = fc.record({ who: fc.nat(1), change: changes })
    const sample = fc.record({
      early: fc.array(step, { maxLength: 8 }),
      late: fc.array(step, { maxLength: 8 })
    })
    holds(sample, 300, ({ early, late }) => {
      const replicas = [replicaOf(1), replicaOf(2)]
      const server = empty()
      for (const { change, who } of early) joined(server, made(replicas[who]!, change))
      const horizon = Stamp.first(start + hour)
      const lagging = replicaOf(3)
      joined(lagging.state, State.whole(server))
      State.raise(server, horizon)
      ensureSame(
        contentOf(joined(State.emptied(server, horizon), State.whole(server))),
        contentOf(server),
        "whole"
      )
      for (const replica of replicas) {
        Replica.acknowledge(replica, replica.clock.last)
        const replaced = Replica.replace(replica, State.whole(server))
        ensureSame(replaced._tag, "Replaced", "a whole state is taken")
      }
      for (const { change, who } of late) {
        const sent = made(replicas[who]!, change, start + 2 * hour)
        ensureSame(Merge.merge(server, sent)._tag, "Merged", "an edit of after it is taken")
        joined(replicas[1 - who]!.state, replicas[who]!.unsent[replicas[who]!.unsent.length - 1]!.patch)
      }
      for (const { state } of replicas) {
        joined(state, State.whole(server))
        ensureSame(contentOf(state), contentOf(server), "replicas are equal")
      }
      // One that has the older horizon is equal again when it adopts the new one.
      State.raise(lagging.state, horizon)
      joined(lagging.state, State.whole(server))
      ensureSame(contentOf(lagging.state), contentOf(server), "adopting is enough where nothing was written")
    })
  })
})
