/** The exchange over a pair in memory: how a client comes up to date, in how many messages, and what is refused. */
import { describe, expect, it } from "vitest"
import { raiseHub } from "../../src/internal/mergePool/hub.js"
import { merge } from "../../src/internal/mergePool/merging.js"
import { clientOfBits, makeStamp } from "../../src/internal/mergePool/stamp.js"
import { exchange } from "../support/mergePool/exchangeParts.js"
import { connectLine, cutLine, editLine, type Line, publish, settle, step, type World } from "./pair.js"
import {
  definition,
  keysFrom,
  label,
  makeWorld,
  otherDefinition,
  remove,
  restartedHub,
  shownBy,
  start,
  textOfHub,
  textOfLine,
  title,
  titles,
  unlabel,
  vote
} from "./pools.js"

const lineOf = ({ lines }: World, n = 0): Line => lines[n] as Line

const ask = ["Hello", "Nodes", "Compare", "AskWhole", "Verify"]
/** The requests of a client, each of which waits for an answer. */
const tripsOf = ({ sent }: Line) => sent.filter((tag) => ask.includes(tag))

const tagsOf = ({ actions }: Line) => actions.map(({ _tag }) => _tag)

const writeHub = (world: World, ...patches: ReadonlyArray<ReturnType<typeof titles>>): void => {
  for (const patch of patches) publish(world, exchange.hub.merge(world.hub, patch, {}).delta)
}

/** A client that has all of a hub with rows, and is cut off; the hub remembers no changes. */
const apart = (rows: number, accepts: "all" | "own" = "own") => {
  const world = makeWorld({ clients: 1, accepts, maxDeltas: 0 })
  writeHub(world, titles(keysFrom(0, rows), "same"))
  const line = lineOf(world)
  connectLine(world, line)
  settle(world)
  cutLine(line)
  expect(textOfLine(line)).toBe(textOfHub(world))
  line.sent.length = 0
  line.bytes = 0
  return { world, line }
}

describe("an exchange", () => {
  it("brings the edits of each client to the others, which hold the same then", () => {
    const world = makeWorld({ clients: 3 })
    for (const line of world.lines) connectLine(world, line)
    settle(world)
    editLine(world, lineOf(world, 0), title("a", "first"))
    editLine(world, lineOf(world, 1), vote("a", 2))
    editLine(world, lineOf(world, 2), vote("a", 3))
    editLine(world, lineOf(world, 2), label("a", "new"))
    settle(world)
    editLine(world, lineOf(world, 1), remove("b"))
    settle(world)
    for (const line of world.lines) {
      expect(shownBy(line)).toEqual({ a: { title: "first", votes: 5, labels: ["new"] } })
      expect(textOfLine(line)).toBe(textOfHub(world))
      expect(line.follower.replica.unsent).toEqual([])
    }
  })

  it("sends what was edited offline, and stamps it by the server's time", () => {
    const world = makeWorld({ clients: 1 })
    world.wall = start + 3_600_000
    const line = lineOf(world)
    editLine(world, line, title("a", "offline"))
    connectLine(world, line)
    settle(world)
    expect(tagsOf(line)).not.toContain("Refused")
    expect(textOfLine(line)).toBe(textOfHub(world))
    expect(shownBy(line)).toEqual({ a: { title: "offline" } })
  })

  it("resumes by the changes since its position, while these are kept", () => {
    const world = makeWorld({ clients: 1 })
    const line = lineOf(world)
    writeHub(world, titles(keysFrom(0, 100), "old"))
    connectLine(world, line)
    settle(world)
    cutLine(line)
    line.sent.length = 0
    writeHub(world, titles(["row 3"], "new", start + 1), titles(["row 4"], "new", start + 1))
    connectLine(world, line)
    settle(world)
    expect(line.sent).toEqual(["Hello", "Welcome", "Delta", "Delta"])
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("sends nothing when the sums are equal", () => {
    const { line, world } = apart(100)
    connectLine(world, line)
    settle(world)
    // It was at the last position.
    expect(line.sent).toEqual(["Hello", "Welcome"])
    cutLine(line)
    line.sent.length = 0
    const again = { ...world, hub: restartedHub(world.hub, "life 2") }
    connectLine(again, line)
    settle(again)
    expect(line.sent).toEqual(["Hello", "Welcome"])
    expect(line.follower.epoch).toBe("life 2")
  })

  it("finds 10 differences in 5,000 rows by the tree, at either side, in 4 round trips", () => {
    const { line, world } = apart(5_000, "all")
    const full = Buffer.byteLength(textOfHub(world))
    writeHub(
      world,
      titles(keysFrom(0, 5), "of the hub", start + 1),
      titles(keysFrom(90_000, 5), "new", start)
    )
    const own = titles(keysFrom(80_000, 5), "of the client", start)
    const newer = titles(keysFrom(3, 5), "newer", start + 2)
    for (const patch of [own, newer]) {
      const merged = merge(line.follower.replica.confirmed, patch)
      if (merged._tag === "Refused") throw new Error(merged.message)
    }
    // A replica with cells that no server has, as one that was another's server.
    const replica = exchange.client.make(line.follower.replica)
    Object.assign(line.follower, { hashed: replica.hashed })
    connectLine(world, line)
    settle(world)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    expect(textOfLine(line)).toBe(textOfHub(world))
    expect(shownBy(line)).toMatchObject({
      "row 2": { title: "of the hub" },
      "row 3": { title: "newer" },
      "row 80000": { title: "of the client" },
      "row 90000": { title: "new" }
    })
    expect(line.bytes / full).toBeLessThan(0.15)
  })

  it.each(["the client", "the server"])("sends the whole state when %s has none", (side) => {
    const { line, world } = apart(side === "the client" ? 0 : 1_000, "all")
    const other =
      side === "the client"
        ? world
        : { ...world, hub: makeWorld({ clients: 0, accepts: "all", epoch: "life 2" }).hub }
    if (side === "the client") writeHub(world, titles(keysFrom(0, 1_000), "all"))
    connectLine(other, line)
    settle(other)
    expect(tripsOf(line)).toEqual(["Hello", "Verify"])
    expect(line.sent.filter((tag) => tag === "Part")).toHaveLength(side === "the client" ? 2 : 1)
    expect(Object.keys(shownBy(line))).toHaveLength(1_000)
    expect(textOfLine(line)).toBe(textOfHub(other))
  })

  it("asks for the whole state when most leaves differ", () => {
    const { line, world } = apart(5_000)
    writeHub(world, titles(keysFrom(0, 5_000), "changed", start + 1))
    connectLine(world, line)
    settle(world)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "AskWhole", "Verify"])
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("drops what the server does not hold, if it takes a client's own cells only", () => {
    const { line, world } = apart(50)
    const other = { ...world, hub: makeWorld({ clients: 0, epoch: "life 2" }).hub }
    writeHub(other, titles(keysFrom(0, 40), "same"))
    editLine(world, line, title("own", "unsent"))
    connectLine(other, line)
    settle(other)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    expect(Object.keys(shownBy(line))).toHaveLength(41)
    expect(textOfLine(line)).toBe(textOfHub(other))
  })

  it("takes the whole state from a server with other sums, and compares none", () => {
    const { line, world } = apart(100)
    writeHub(world, titles(["row 1"], "new", start + 1))
    const other = { ...world, alter: (text: string) => text.replace('"hash":1', '"hash":2') }
    connectLine(other, line)
    editLine(other, line, title("own", "edited"))
    settle(other)
    expect(tripsOf(line)).toEqual(["Hello"])
    expect(line.sent).toContain("Part")
    expect(textOfLine(line)).toBe(textOfHub(world))
    expect(shownBy(line)).toMatchObject({ "row 1": { title: "new" }, own: { title: "edited" } })
  })

  it("takes the whole state once from a server whose sums lie, then ends", () => {
    const { line, world } = apart(100)
    writeHub(world, titles(["row 1"], "new", start + 1))
    const lie = (text: string) => {
      const message = JSON.parse(text)
      return message._tag === "Root" ? JSON.stringify({ ...message, root: "0123456789abcdef" }) : text
    }
    const lying = { ...world, alter: lie }
    connectLine(lying, line)
    settle(lying)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify", "AskWhole", "Verify"])
    expect(line.actions.at(-1)).toMatchObject({ _tag: "Ended", reason: "Diverged" })
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("sends the whole state once to a client whose sums lie, and takes each request once", () => {
    const { world } = apart(100)
    const connection = exchange.server.open(world.hub.served)
    const tagsFor = (message: Parameters<typeof exchange.server.receive>[1]) =>
      Array.from(exchange.server.receive(connection, message, start), (action) =>
        action._tag === "Send" ? action.message._tag : action._tag
      )
    const hello = {
      _tag: "Hello",
      version: 1,
      hash: 1,
      fingerprint: definition.fingerprint,
      epoch: null,
      position: null,
      horizon: "",
      root: "0123456789abcdef"
    } as const
    expect(tagsFor(hello)).toEqual(["Welcome"])
    expect(tagsFor({ _tag: "AskWhole" })).toEqual(["Part"])
    expect(tagsFor({ _tag: "AskWhole" })).toEqual(["End"])
    expect(tagsFor({ _tag: "Verify" })).toEqual([])
    for (const twice of [
      { _tag: "Nodes", nodes: [1] },
      hello,
      { _tag: "Compare", leaves: [1], rows: [] }
    ] as const) {
      Object.assign(connection, exchange.server.open(world.hub.served))
      tagsFor(hello)
      if (twice._tag === "Compare") tagsFor({ _tag: "Nodes", nodes: [] })
      if (twice._tag !== "Hello") tagsFor(twice)
      expect(tagsFor(twice)).toEqual(["End"])
    }
    Object.assign(connection, exchange.server.open(world.hub.served))
    expect(tagsFor({ _tag: "Verify" })).toEqual(["End"])
  })

  it("ends with another version", () => {
    const world = makeWorld({ clients: 1 })
    const other = { ...world, alter: (text: string) => text.replace('"version":1', '"version":2') }
    connectLine(other, lineOf(world))
    settle(other)
    expect(lineOf(world).actions).toMatchObject([{ _tag: "Ended", reason: "Version" }])
  })

  it("lets a client with other strategies follow, and refuses what it merges", () => {
    const world = makeWorld({ clients: 1, definitions: [otherDefinition] })
    const line = lineOf(world)
    editLine(world, line, title("own", "unsent"))
    writeHub(world, titles(["a"], "one"))
    connectLine(world, line)
    settle(world)
    writeHub(world, titles(["b"], "two"))
    settle(world)
    cutLine(line)
    writeHub(world, titles(["c"], "three"))
    connectLine(world, line)
    settle(world)
    const foreign = line.actions.flatMap((action) =>
      action._tag === "Foreign" ? [[action.isWhole, action.patch.rows.map(([key]) => key)]] : []
    )
    expect(foreign).toEqual([
      [true, ["a"]],
      [false, ["b"]],
      [false, ["c"]]
    ])
    expect(line.sent).not.toContain("Merge")
    expect(shownBy(line)).toEqual({ own: { title: "unsent" } })
    const answers = exchange.server.receive(
      line.connection as NonNullable<Line["connection"]>,
      { _tag: "Merge", n: 1, patch: titles(["d"], "four") },
      start
    )
    expect(answers).toMatchObject([{ message: { _tag: "Rejected", n: 1, reason: "StrategyMismatch" } }])
  })

  it("gives edits new stamps that are ahead of the server's time, in order", () => {
    const world = makeWorld({ clients: 1 })
    const line = lineOf(world)
    connectLine(world, line)
    settle(world)
    world.wall = start + 3_600_000
    editLine(world, line, vote("a", 1))
    editLine(world, line, title("a", "one"))
    editLine(world, line, title("a", "two"))
    editLine(world, line, vote("a", 10))
    settle(world)
    expect(line.sent.filter((tag) => tag === "Rejected")).toHaveLength(4)
    expect(tagsOf(line)).not.toContain("Refused")
    expect(shownBy(line)).toEqual({ a: { title: "two", votes: 11 } })
    expect(textOfLine(line)).toBe(textOfHub(world))
    expect(line.follower.replica.unsent).toEqual([])
  })

  it.each([
    ["a title", title("a", "one"), { title: "two", votes: 15, labels: ["old"] }],
    ["a vote", vote("a", 1), { title: "two", votes: 16, labels: ["old"] }],
    ["a removal", remove("a"), { title: "two", votes: 10, labels: ["old"] }],
    ["an unlabelling", unlabel("a", "old"), { title: "two", votes: 15, labels: ["old"] }],
    ["another row", title("b", "one"), { title: "two", votes: 15, labels: ["old"] }]
  ])("keeps the order of edits when the first one is too early, and the others pass: %s", (_, first, a) => {
    const world = makeWorld({ clients: 2 })
    const line = lineOf(world)
    for (const each of world.lines) connectLine(world, each)
    editLine(world, lineOf(world, 1), vote("a", 5))
    editLine(world, lineOf(world, 1), label("a", "old"))
    settle(world)
    world.wall = start + 60_001
    for (const edit of [first, title("a", "two"), vote("a", 10), label("a", "old")])
      editLine(world, line, edit)
    step(world, line)
    world.now = start + 1
    settle(world)
    expect(line.sent.filter((tag) => tag === "Rejected")).toHaveLength(1)
    for (const each of world.lines) expect(shownBy(each).a).toEqual(a)
    expect(textOfLine(line)).toBe(textOfHub(world))
    expect(line.follower.replica.unsent).toEqual([])
  })

  it("hands back an edit that is refused, and confirms the others as they were sent", () => {
    const world = makeWorld({ clients: 2 })
    const line = lineOf(world)
    for (const each of world.lines) connectLine(world, each)
    settle(world)
    editLine(world, line, vote("a", 1))
    editLine(world, line, title("x".repeat(500), "two"))
    editLine(world, line, vote("a", 2))
    // A server that takes shorter keys than the client.
    const text = line.toServer[1] as string
    line.toServer[1] = text.replace("x".repeat(500), "x".repeat(600))
    settle(world)
    expect(
      line.actions.flatMap((each) =>
        each._tag === "Refused" ? [[each.reason, each.edits.map(({ n }) => n)]] : []
      )
    ).toEqual([["InvalidData", [2]]])
    editLine(world, line, vote("a", 4))
    settle(world)
    for (const each of world.lines) {
      expect(shownBy(each)).toEqual({ a: { votes: 7 } })
      expect(textOfLine(each)).toBe(textOfHub(world))
    }
  })

  it("sends more edits than may wait at once", () => {
    const world = makeWorld({ clients: 1 })
    const line = lineOf(world)
    for (let n = 0; n < 700; n++) editLine(world, line, vote("a"))
    connectLine(world, line)
    settle(world, 3)
    expect(line.sent.filter((tag) => tag === "Merge")).toHaveLength(256)
    settle(world)
    expect(shownBy(line)).toEqual({ a: { votes: 700 } })
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("brings back nothing that was removed and forgotten, and hands back edits from before", () => {
    const { line, world } = apart(50)
    editLine(world, line, title("old", "edited before"))
    const stamp = makeStamp(start + 10, 0, clientOfBits(99n))
    writeHub(world, { horizon: "", rows: [["row 7", stamp, []]] })
    publish(world, raiseHub(world.hub, makeStamp(start + 1_000, 0, clientOfBits(98n))))
    world.now = start + 7_200_000
    world.wall = start + 7_200_000
    editLine(world, line, title("late", "edited after"))
    connectLine(world, line)
    settle(world)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    const refused = line.actions.flatMap((each) => (each._tag === "Refused" ? [each] : []))
    expect(refused).toMatchObject([{ reason: "TooOld", edits: [{ edit: { key: "old" } }] }])
    const shown = shownBy(line)
    expect(shown["row 7"]).toBeUndefined()
    expect(shown.old).toBeUndefined()
    expect(shown.late).toEqual({ title: "edited after" })
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("brings back nothing that was removed and forgotten to replicas without a server", () => {
    const { line, world } = apart(50, "all")
    writeHub(world, { horizon: "", rows: [["row 7", makeStamp(start + 10, 0, clientOfBits(99n)), []]] })
    publish(world, raiseHub(world.hub, makeStamp(start + 1_000, 0, clientOfBits(98n))))
    connectLine(world, line)
    settle(world)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    expect(shownBy(line)["row 7"]).toBeUndefined()
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("finds one difference when the hub keeps no changes", () => {
    const { line, world } = apart(50)
    writeHub(world, titles(["row 1"], "new", start + 1))
    connectLine(world, line)
    settle(world)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("comes up to date anew when it was cut before all was there", () => {
    const { line, world } = apart(50)
    writeHub(world, titles(["row 1"], "new", start + 1))
    connectLine(world, line)
    while (line.sent.at(-1) !== "Nodes") step(world, line)
    cutLine(line)
    line.sent.length = 0
    connectLine(world, line)
    settle(world)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("keeps a change that came before rows that are older", () => {
    const { line, world } = apart(50)
    writeHub(world, titles(["row 1"], "new", start + 1))
    connectLine(world, line)
    while (line.sent.at(-1) !== "Rows") step(world, line)
    // A server may read the rows before it sends the changes that were made meanwhile.
    const rows = line.toClient.pop() as string
    writeHub(world, titles(["row 1"], "newest", start + 2))
    line.toClient.push(rows)
    settle(world)
    expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    expect(shownBy(line)["row 1"]).toEqual({ title: "newest" })
    expect(textOfLine(line)).toBe(textOfHub(world))
  })

  it("begins anew when the client's horizon is that of another life", () => {
    const { line, world } = apart(50)
    publish(world, raiseHub(world.hub, makeStamp(start + 1_000, 0, clientOfBits(98n))))
    connectLine(world, line)
    settle(world)
    cutLine(line)
    line.sent.length = 0
    const other = { ...world, hub: makeWorld({ clients: 0, epoch: "life 2" }).hub }
    writeHub(other, titles(keysFrom(0, 60), "same"))
    writeHub(other, { horizon: "", rows: [["row 7", makeStamp(start + 10, 0, clientOfBits(99n)), []]] })
    connectLine(other, line)
    settle(other)
    expect(tripsOf(line)).toEqual(["Hello", "Verify"])
    expect(textOfLine(line)).toBe(textOfHub(other))
  })
})

describe("a message", () => {
  const hello =
    '{"_tag":"Hello","version":1,"hash":1,"fingerprint":"f","epoch":null,"position":null,"horizon":"","root":"0"}'

  it.each([
    ["no JSON", "{", "is no object"],
    ["a list", "[]", "is no object"],
    ["no tag", "{}", "unknown tag"],
    ["a tag of the prototype", '{"_tag":"toString"}', "unknown tag"],
    ["a field too many", hello.replace("{", '{"__proto__":1,'), "unknown field"],
    ["a field too few", hello.replace('"hash":1,', ""), "hash of a Hello"],
    ["a fraction", hello.replace('"hash":1', '"hash":1.5'), "hash of a Hello"],
    ["a node beyond the tree", '{"_tag":"Nodes","nodes":[64]}', "nodes of a Nodes"],
    ["a node named twice", '{"_tag":"Nodes","nodes":[1,1]}', "nodes of a Nodes"],
    ["a leaf beyond the tree", '{"_tag":"Compare","leaves":[4096],"rows":[]}', "leaves of a Compare"],
    ["a sum that is none", '{"_tag":"Compare","leaves":[],"rows":[["a","x"]]}', "rows of a Compare"],
    ["a patch without rows", '{"_tag":"Merge","n":1,"patch":{"horizon":""}}', "patch of a Merge"],
    ["a message of a server", '{"_tag":"Acknowledged","n":1}', "unknown tag"]
  ])("of a client with %s is malformed", (_, text, message) => {
    expect(exchange.decodeClient(text)).toMatchObject({
      _tag: "Malformed",
      message: expect.stringContaining(message)
    })
  })

  it.each([
    ["sums too short", '{"_tag":"Sums","nodes":[[1,"00"]]}', "nodes of a Sums"],
    ["another way to resume", '{"_tag":"End","reason":"Other","message":""}', "reason of a End"],
    ["a flag that is none", '{"_tag":"Part","rows":[],"isLast":1}', "isLast of a Part"]
  ])("of a server with %s is malformed", (_, text, message) => {
    expect(exchange.decodeServer(text)).toMatchObject({
      _tag: "Malformed",
      message: expect.stringContaining(message)
    })
  })

  it("is read as it was written", () => {
    expect(exchange.decodeClient(hello)).toEqual(JSON.parse(hello))
  })

  it("of a server that comes out of its turn ends the exchange", () => {
    const world = makeWorld({ clients: 1 })
    const line = lineOf(world)
    connectLine(world, line)
    settle(world)
    expect(exchange.client.receive(line.follower, { _tag: "Acknowledged", n: 1 }, start)).toMatchObject([
      { _tag: "Ended", reason: "Unexpected" }
    ])
    expect(exchange.client.receive(line.follower, { _tag: "Acknowledged", n: 1 }, start)).toEqual([])
  })

  it("of a server with rows that cannot be merged ends the exchange, and changes nothing", () => {
    const { line, world } = apart(50)
    const before = textOfLine(line)
    writeHub(world, titles(["row 1"], "new", start + 1))
    const bad = {
      ...world,
      alter: (text: string) => text.replace('"Rows","rows":[["row 1",""', '"Rows","rows":[["row 1","bad"')
    }
    connectLine(bad, line)
    settle(bad)
    expect(line.actions.at(-1)).toMatchObject({ _tag: "Ended", reason: "InvalidData" })
    expect(textOfLine(line)).toBe(before)
  })
})
