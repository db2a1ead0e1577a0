/** Exchanges as properties: cut at every message, and random edits, cuts and restarts. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { hashState } from "../../../src/internal/mergePool/hashedState.js"
import { nodeSums, rootSum } from "../../../src/internal/mergePool/hashTree.js"
import { raiseHub } from "../../../src/internal/mergePool/hub.js"
import { clientOfBits, makeStamp } from "../../../src/internal/mergePool/stamp.js"
import {
  connectLine,
  cutLine,
  editLine,
  type Line,
  publish,
  settle,
  step,
  type World
} from "../../mergePool/pair.js"
import {
  keysFrom,
  label,
  makeWorld,
  remove,
  restartedHub,
  shownBy,
  start,
  textOfHub,
  textOfLine,
  title,
  titles,
  vote
} from "../../mergePool/pools.js"
import { ensureSame } from "../../support/laws/ensure.js"
import { holds } from "../../support/laws/laws.js"
import { exchange } from "../../support/mergePool/exchangeParts.js"

const lineOf = ({ lines }: World, n = 0): Line => lines[n] as Line

const writeHub = (world: World, keys: ReadonlyArray<string>, value: string, millis: number): void =>
  publish(world, exchange.hub.merge(world.hub, titles(keys, value, millis), {}).delta)

/** More leaves differ than are worth comparing. */
const allLeavesDiffer = (text: string): string =>
  text.startsWith('{"_tag":"Sums"') ? text.replace(/"[0-9a-f]{1024}"/g, `"${"f".repeat(1_024)}"`) : text

/** How a client that was away comes up to date, by what the hub kept. */
const ways: ReadonlyArray<readonly [way: string, maxDeltas: number, rows: number, changed: number]> = [
  ["the changes it missed", 1_000, 100, 5],
  ["the hash tree", 0, 100, 5],
  ["the whole state", 0, 100, 100]
]

/** A client with edits that comes back, while others edit; cut after so many messages. Returns how many there were. */
const comeBack = (
  maxDeltas: number,
  rows: number,
  changed: number,
  accepts: "all" | "own",
  cutAfter: number
) => {
  const world = makeWorld({
    clients: 2,
    accepts,
    maxDeltas,
    ...(rows === changed ? { alter: allLeavesDiffer } : {})
  })
  const [one, other] = [lineOf(world, 0), lineOf(world, 1)]
  writeHub(world, keysFrom(0, rows), "old", start - 2)
  for (const line of world.lines) connectLine(world, line)
  settle(world)
  editLine(world, one, vote("row 1"))
  settle(world)
  cutLine(one)
  writeHub(world, keysFrom(0, changed), "new", start - 1)
  for (let n = 0; n < 3; n++) editLine(world, one, vote("row 1"))
  editLine(world, one, title("row 2000000", "mine"))
  editLine(world, one, remove("row 3"))
  editLine(world, other, vote("row 1", 10))
  connectLine(world, one)
  let count = 0
  while (count < cutAfter && step(world, one)) {
    count++
    // Something goes on meanwhile, on both sides.
    if (count === 2) editLine(world, other, label("row 2", "meanwhile"))
    if (count === 3) editLine(world, one, vote("row 1"))
    step(world, other)
  }
  if (cutAfter !== Number.POSITIVE_INFINITY) {
    cutLine(one)
    editLine(world, one, label("row 4", "cut off"))
    connectLine(world, one)
    settle(world)
  }
  settle(world)
  return { world, one, count }
}

describe.each(ways)("a client that comes back by %s", (way, maxDeltas, rows, changed) => {
  it.each(["own", "all"] as const)(
    "and is cut at any message ends equal, and sends each edit once (%s cells)",
    (accepts) => {
      const whole = comeBack(maxDeltas, rows, changed, accepts, Number.POSITIVE_INFINITY)
      const { count, one } = whole
      expect(one.sent.includes("Part")).toBe(true)
      expect(one.sent.includes("Nodes")).toBe(way !== "the changes it missed")
      expect(one.sent.includes("AskWhole")).toBe(way === "the whole state")
      expect(count).toBeGreaterThan(5)
      for (let cutAfter = 0; cutAfter <= count; cutAfter++) {
        const { one, world } = comeBack(maxDeltas, rows, changed, accepts, cutAfter)
        const text = textOfHub(world)
        for (const line of world.lines) {
          ensureSame(textOfLine(line) === text, true, `J10: equal content, cut after ${cutAfter}`)
          ensureSame(rootSum(line.follower.hashed.tree), rootSum(world.hub.hashed.tree), "J10: equal sums")
          ensureSame(line.follower.replica.unsent.length, 0, "J10: nothing waits")
        }
        const shown = shownBy(one)
        ensureSame(
          shown["row 1"]?.votes,
          cutAfter >= 3 ? 15 : 14,
          `J10: each vote counts once, cut after ${cutAfter}`
        )
        ensureSame(shown["row 2000000"]?.title, "mine", "what is mine")
        ensureSame(shown["row 3"], undefined, "what I removed")
        ensureSame(String(shown["row 4"]?.labels), "cut off", "what was edited while it was cut off")
        ensureSame(
          one.actions.some(({ _tag }) => _tag === "Ended" || _tag === "Refused"),
          false,
          "no refusal"
        )
      }
    }
  )
})

type Step =
  | { readonly do: "edit"; readonly line: number; readonly kind: number; readonly key: number }
  | { readonly do: "step" | "cut" | "connect"; readonly line: number }
  | { readonly do: "restart" | "forget" }

const steps = (): fc.Arbitrary<ReadonlyArray<Step>> => {
  const line = fc.nat(2)
  return fc.array(
    fc.oneof(
      {
        arbitrary: fc.record({ do: fc.constant("edit" as const), line, kind: fc.nat(3), key: fc.nat(3) }),
        weight: 6
      },
      { arbitrary: fc.record({ do: fc.constant("step" as const), line }), weight: 10 },
      { arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "connect" as const), line }), weight: 4 },
      { arbitrary: fc.record({ do: fc.constantFrom("restart" as const, "forget" as const) }), weight: 1 }
    ),
    { maxLength: 80 }
  )
}

const edits = [
  (key: string) => title(key, `t${key}`),
  (key: string) => vote(key),
  (key: string) => label(key, `l${key}`),
  (key: string) => remove(key)
]

/** Takes one step, and counts the votes for a row that is never removed. */
const take = (world: World, each: Step, lives: { count: number; votes: number }): World => {
  switch (each.do) {
    case "edit": {
      const line = lineOf(world, each.line)
      editLine(world, line, (edits[each.kind] as (key: string) => ReturnType<typeof title>)(`k${each.key}`))
      editLine(world, line, vote("counted"))
      lives.votes++
      break
    }
    case "step":
      step(world, lineOf(world, each.line))
      break
    case "cut":
      cutLine(lineOf(world, each.line))
      break
    case "connect":
      if (lineOf(world, each.line).connection === undefined) connectLine(world, lineOf(world, each.line))
      break
    case "restart":
      for (const line of world.lines) cutLine(line)
      lives.count++
      return { ...world, hub: restartedHub(world.hub, `life ${lives.count}`) }
    case "forget":
      // What was removed before is forgotten; edits from before that are not here yet are refused.
      publish(world, raiseHub(world.hub, makeStamp(world.now, 2 ** 24 - 1, clientOfBits(0n))))
      world.now += 1_000
      world.wall += 1_000
  }
  return world
}

describe("clients of a hub", () => {
  it.each(["own", "all"] as const)(
    "that edit, are cut and come back in any order end equal, and count each vote once (%s cells)",
    (accepts) => {
      holds(fc.tuple(steps(), fc.constantFrom(0, 3, 1_000)), 60, ([plan, maxDeltas]) => {
        let world = makeWorld({ clients: 3, accepts, maxDeltas })
        const lives = { count: 1, votes: 0 }
        for (const each of plan) world = take(world, each, lives)
        for (const line of world.lines) if (line.connection === undefined) connectLine(world, line)
        settle(world)
        const isRefused = world.lines.some(({ actions }) => actions.some(({ _tag }) => _tag === "Refused"))
        const anew = hashState(world.hub.hashed.state).tree
        ensureSame(
          nodeSums(world.hub.hashed.tree),
          nodeSums(anew),
          "J9: the hub's tree equals one built anew"
        )
        for (const line of world.lines) {
          ensureSame(textOfLine(line), textOfHub(world), "J10: equal content")
          ensureSame(rootSum(line.follower.hashed.tree), rootSum(anew), "J10: equal sums")
          ensureSame(line.follower.phase, "live", "J10: it follows")
          ensureSame(line.follower.replica.unsent.length, 0, "J10: nothing waits")
          if (!isRefused)
            ensureSame(shownBy(line).counted?.votes ?? 0, lives.votes, "J10: each vote counts once")
        }
      })
    }
  )
})
