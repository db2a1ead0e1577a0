/** How clients of a large pool come up to date by its sums. In a long run it has 100,000 rows. */
import { setImmediate } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { merge } from "../../../src/internal/mergePool/merging.js"
import { connectLine, cutLine, settle, type World } from "../../mergePool/pair.js"
import {
  keysFrom,
  makeWorld,
  restartedHub,
  start,
  textOfHub,
  textOfLine,
  titles
} from "../../mergePool/pools.js"
import { runs } from "../../support/laws/laws.js"
import { exchange } from "../../support/mergePool/exchangeParts.js"

const rows = Math.min(runs(3_000), 100_000)

/** The part of all bytes that 10 differences may cost: most of it is the same for a pool of any size. */
const part = rows < 100_000 ? 0.25 : 0.005

const requests = ["Hello", "Nodes", "Compare", "AskWhole", "Verify"]

const writeHub = ({ hub }: World, patch: ReturnType<typeof titles>): void => {
  expect(exchange.hub.merge(hub, patch, {}).outcome._tag).toBe("Merged")
}

/** Delivers all messages, and lets the runner report meanwhile. */
const delivered = async (world: World): Promise<void> => {
  const most = 20
  while (settle(world, most) === most) await setImmediate()
}

/** A client that has all of a pool, and is cut off; the pool remembers no changes. */
const apart = async () => {
  const world = makeWorld({ clients: 1, accepts: "all", maxDeltas: 0 })
  writeHub(world, titles(keysFrom(0, rows), "same"))
  const line = world.lines[0]!
  connectLine(world, line)
  await delivered(world)
  cutLine(line)
  line.sent.length = 0
  line.bytes = 0
  return { world, line }
}

const meet = async (world: World) => {
  const line = world.lines[0]!
  connectLine(world, line)
  await delivered(world)
  return line.sent.filter((tag) => requests.includes(tag))
}

describe(`a client and a pool of ${rows} rows`, { timeout: 120_000 }, () => {
  it("find 10 differences, on either side, in 4 round trips and few bytes", async () => {
    const { line, world } = await apart()
    writeHub(world, titles(keysFrom(0, 5), "of the pool", start + 1))
    const { replica } = line.follower
    const merged = merge(replica.confirmed, titles(keysFrom(rows - 5, 5), "of the client", start + 1))
    expect(merged._tag).toBe("Merged")
    Object.assign(line.follower, { hashed: exchange.client.make(replica).hashed })
    expect(await meet(world)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    expect(textOfLine(line)).toBe(textOfHub(world))
    expect(line.bytes / Buffer.byteLength(textOfHub(world))).toBeLessThan(part)
  })

  it("send the whole state once where one side is empty", async () => {
    const { line, world } = await apart()
    const empty = { ...world, hub: makeWorld({ clients: 0, accepts: "all", epoch: "life 2" }).hub }
    expect(await meet(empty)).toEqual(["Hello", "Verify"])
    expect(textOfHub(empty)).toBe(textOfHub(world))
    const fresh = { ...makeWorld({ clients: 1, accepts: "all" }), hub: world.hub }
    expect(await meet(fresh)).toEqual(["Hello", "Verify"])
    expect(textOfLine(fresh.lines[0]!)).toBe(textOfLine(line))
  })

  it("send the whole state once where all differs", async () => {
    const { line, world } = await apart()
    writeHub(world, titles(keysFrom(0, rows), "changed", start + 1))
    expect(await meet(world)).toEqual(["Hello", "Nodes", "AskWhole", "Verify"])
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("end when a sum lies, after the whole state was sent once", async () => {
    const { line, world } = await apart()
    const alter = (text: string) => text.replace(/("_tag":"Root".*"root":)"[^"]*"/, '$1"0123456789abcdef"')
    const lying = { ...world, hub: restartedHub(world.hub, "life 2"), alter }
    writeHub(lying, titles(["row 1"], "new", start + 1))
    expect(await meet(lying)).toEqual(["Hello", "Nodes", "Compare", "Verify", "AskWhole", "Verify"])
    expect(line.actions.at(-1)).toMatchObject({ _tag: "Ended", reason: "Diverged" })
    expect(textOfLine(line)).toBe(textOfHub(lying))
  })
})
