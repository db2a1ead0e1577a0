/** Edits that the server has merged, and whose answers were lost: each counts once, and none is handed back. */
import { describe, expect, it } from "vitest"
import { raiseHub } from "../../src/internal/mergePool/hub.js"
import { clientOfBits, makeStamp } from "../../src/internal/mergePool/stamp.js"
import { connectLine, cutLine, editLine, type Line, publish, settle, step, type World } from "./pair.js"
import {
  label,
  makeWorld,
  remove,
  restartedHub,
  shownBy,
  start,
  textOfHub,
  textOfLine,
  title,
  vote
} from "./pools.js"

const lineOf = ({ lines }: World, n = 0): Line => lines[n] as Line

const refusedOf = ({ actions }: Line) =>
  actions.flatMap((each) => (each._tag === "Refused" ? [[each.reason, each.edits.map(({ n }) => n)]] : []))

/** The same hub with other sums: who comes back takes the whole state. */
const withOtherSums = (world: World): World => ({
  ...world,
  hub: restartedHub(world.hub, "life 2"),
  alter: (text) => (text.startsWith('{"_tag":"Hello"') ? text.replace('"hash":1', '"hash":2') : text)
})

/** A client with edits that is cut when the server has taken so many messages of them. */
const cutAfter = (messages: number) => {
  const world = makeWorld({ clients: 2 })
  const line = lineOf(world)
  for (const each of world.lines) connectLine(world, each)
  settle(world)
  for (const edit of [vote("a"), title("a", "one"), vote("a"), label("b", "x"), vote("b")]) {
    editLine(world, line, edit)
  }
  for (let n = 0; n < messages; n++) step(world, line)
  cutLine(line)
  return { world, line }
}

describe("an edit whose answer was lost", () => {
  it("counts once for a client that takes the whole state, wherever it was cut", () => {
    for (let messages = 0; messages <= 16; messages++) {
      const { line, world } = cutAfter(messages)
      const other = withOtherSums(world)
      connectLine(other, line)
      settle(other)
      const what = `cut after ${messages} messages`
      expect(shownBy(line), what).toEqual({ a: { title: "one", votes: 2 }, b: { labels: ["x"], votes: 1 } })
      expect(textOfLine(line), what).toBe(textOfHub(other))
      expect(refusedOf(line), what).toEqual([])
      expect(line.follower.replica.unsent, what).toEqual([])
    }
  })

  it("is not handed back when the horizon has passed it, as the server holds it", () => {
    for (let messages = 0; messages <= 5; messages++) {
      const { line, world } = cutAfter(messages)
      publish(world, raiseHub(world.hub, makeStamp(start + 1_000, 0, clientOfBits(98n))))
      world.now = start + 7_200_000
      world.wall = start + 7_200_000
      connectLine(world, line)
      settle(world)
      const tooOld = [1, 2, 3, 4, 5].slice(messages)
      expect(refusedOf(line), `cut after ${messages} messages`).toEqual(
        tooOld.length === 0 ? [] : [["TooOld", tooOld]]
      )
      expect(textOfLine(line)).toBe(textOfHub(world))
      expect(line.follower.replica.unsent).toEqual([])
    }
  })

  it("is handed back when what it wrote was removed and forgotten since", () => {
    const { line, world } = cutAfter(5)
    settle(world)
    editLine(world, lineOf(world, 1), remove("a"))
    settle(world)
    publish(world, raiseHub(world.hub, makeStamp(start + 1_000, 0, clientOfBits(98n))))
    world.now = start + 7_200_000
    world.wall = start + 7_200_000
    connectLine(world, line)
    settle(world)
    expect(refusedOf(line)).toEqual([["TooOld", [1, 2, 3]]])
    expect(shownBy(line)).toEqual({ b: { labels: ["x"], votes: 1 } })
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("counts once behind an edit that was refused", () => {
    const { line, world } = cutAfter(0)
    connectLine(world, line)
    settle(world, 2)
    // A server that takes shorter keys than the client.
    line.toServer[0] = line.toServer[0]?.replace('[["a"', `[["${"x".repeat(600)}"`) as string
    while (line.sent.filter((tag) => tag === "Delta").length < 4) step(world, line)
    while (line.toClient.length > 1) step(world, line)
    cutLine(line)
    connectLine(world, line)
    settle(world)
    expect(refusedOf(line)).toEqual([["InvalidData", [1]]])
    // What was sent behind it counts what it had added.
    expect(shownBy(line)).toEqual({ a: { title: "one", votes: 2 }, b: { labels: ["x"], votes: 1 } })
    expect(textOfLine(line)).toBe(textOfHub(world))
  })
})
