/** Guards of exchanges: what the sums count, what a client may take for known, and what a cut must not lose. */
import { guardsOf } from "./guard.js"

const guard = guardsOf("exchange")

const tree = (title: string) => ["mergePool/hashTree", title] as const
const pair = (title: string) => ["mergePool/exchange", title] as const
const lost = (title: string) => ["mergePool/lostAnswers", title] as const
const cut = [
  "laws/mergePool/exchange",
  "and is cut at any message ends equal, and sends each edit once (own cells)"
] as const

export const mergeExchangeMutants = [
  guard(
    "stamp an edit anew that is before one which was accepted",
    "internal/mergePool/replica",
    ['n < accepted ? "keep" : nextStamp(clock, wall)', 'n < 0 ? "keep" : nextStamp(clock, wall)'],
    pair("keeps the order of edits when the first one is too early, and the others pass: a removal")
  ),
  guard(
    "leave a row out of its leaf's list twice",
    "internal/mergePool/hashTree",
    ["    if (last !== key) keys[keys.indexOf(key)] = last\n", ""],
    tree("kept through changes equals one that is built anew, at every step")
  ),
  guard(
    "take the last form of a row for the one that the sums have",
    "internal/mergePool/hashTree",
    ["if (!pending.has(key)) pending.set(key, before)", "pending.set(key, before)"],
    tree("kept through changes equals one that is built anew, at every step")
  ),
  guard(
    "settle between the changes of a row",
    "internal/mergePool/hashTree",
    [
      "if (!pending.has(key)) pending.set(key, before)",
      "{ if (!pending.has(key)) pending.set(key, before); if (pending.size > maxPending) settle(tree) }"
    ],
    tree("counts a row once that changes twice among more changes than wait")
  ),
  guard(
    "sum cells without their fields",
    "internal/mergePool/hashTree",
    [
      "cellTexts(key, before, after, (field, from, to) => {",
      'cellTexts(key, before, after, (_, from, to) => { const field = ""'
    ],
    tree("has other sums for a value that changes its field")
  ),
  guard(
    "compare only the rows that a peer names",
    "internal/mergePool/diff",
    ["if (!known.has(key)) found.push(key)", "if (known.has(key)) found.push(key)"],
    tree("finds the rows that differ, on either side, and no others")
  ),
  guard(
    "send a row as often as a peer names it",
    "internal/mergePool/diff",
    ["    if (known.has(key)) continue\n", ""],
    tree("takes a row of a peer once, however often it is named")
  ),
  guard(
    "take a position for known before all is there",
    "internal/mergePool/following",
    [
      '  follower.phase = "sums"\n',
      '  follower.phase = "sums"\n  follower.epoch = epoch\n  follower.position = position\n'
    ],
    pair("comes up to date anew when it was cut before all was there")
  ),
  guard(
    "take a change during a resume for a position",
    "internal/mergePool/following",
    ['  if (phase === "live") follower.position = delta.position', "  follower.position = delta.position"],
    cut
  ),
  guard(
    "lose changes that came before older rows",
    "internal/mergePool/following",
    ['if (phase !== "live" && phase !== "root") follower.late.push(delta)', ""],
    pair("keeps a change that came before rows that are older")
  ),
  guard(
    "keep waiting for answers of a connection that was cut",
    "internal/mergePool/following",
    ["  follower.outstanding.length = 0\n  follower.sent = 0\n", ""],
    cut
  ),
  guard(
    "ask for the whole state again and again",
    "internal/mergePool/following",
    ["  if (follower.hasAskedWhole) {", '  if (follower.phase === "ended") {'],
    pair("takes the whole state once from a server whose sums lie, then ends")
  ),
  guard(
    "take unequal sums for equal",
    "internal/mergePool/following",
    ["return root === rootSum(hashed.tree) ?", 'return root !== "" ?'],
    pair("takes the whole state once from a server whose sums lie, then ends")
  ),
  guard(
    "send the whole state as often as it is asked for",
    "internal/mergePool/serving",
    ["  connection.hasWhole = true\n  return partsOf", "  return partsOf"],
    pair("sends the whole state once to a client whose sums lie, and takes each request once")
  ),
  guard(
    "compare sums of another version",
    "internal/mergePool/serving",
    ["  hello.hash === hashVersion &&\n", ""],
    pair("takes the whole state from a server with other sums, and compares none")
  ),
  guard(
    "compare with a client that forgot more",
    "internal/mergePool/serving",
    ["  hello.horizon <= horizon() &&\n", ""],
    pair("begins anew when the client's horizon is that of another life")
  ),
  guard(
    "resume by a position of another life",
    "internal/mergePool/serving",
    ["hello.epoch === served.epoch && hello.position !== null", "hello.position !== null"],
    pair("drops what the server does not hold, if it takes a client's own cells only")
  ),
  guard(
    "merge what has other strategies",
    "internal/mergePool/serving",
    [
      "connection.canMerge = hello.fingerprint === served.definition.fingerprint",
      "connection.canMerge = true"
    ],
    pair("lets a client with other strategies follow, and refuses what it merges")
  ),
  guard(
    "give changes from beyond what is kept",
    "internal/mergePool/hub",
    ["missed <= deltas.length", "missed <= deltas.length + 1"],
    pair("finds one difference when the hub keeps no changes")
  ),
  guard(
    "keep own cells that the server decides about",
    "internal/mergePool/following",
    ['welcome?.accepts === "all" ? "keep" : "drop"', '"keep"'],
    pair("drops what the server does not hold, if it takes a client's own cells only")
  ),
  guard(
    "bring back what was forgotten",
    "internal/mergePool/adopting",
    ["const outcome = merge(state, left)", 'const outcome = merge(state, left, { old: "take" })'],
    pair("brings back nothing that was removed and forgotten to replicas without a server")
  ),
  guard(
    "leave half of the rows when they cannot be taken",
    "internal/mergePool/adopting",
    ["    for (const [key, row] of before) putRow(state, key, row)\n", ""],
    pair("of a server with rows that cannot be merged ends the exchange, and changes nothing")
  ),
  guard(
    "confirm what was refused with what came after",
    "internal/mergePool/sending",
    ["(n) => accepted.has(n)", "(n) => n <= Math.max(...accepted)"],
    pair("hands back an edit that is refused, and confirms the others as they were sent")
  ),
  guard(
    "make edits anew over themselves",
    "internal/mergePool/replica",
    [
      "  observe(replica.clock, state.latest)\n  confirmHeld(replica)\n",
      "  observe(replica.clock, state.latest)\n"
    ],
    lost("counts once for a client that takes the whole state, wherever it was cut")
  ),
  guard(
    "hand back what the server holds",
    "internal/mergePool/replica",
    ["return { changes, tooOld: [] }\n  confirmHeld(replica)\n", "return { changes, tooOld: [] }\n"],
    lost("is not handed back when the horizon has passed it, as the server holds it")
  ),
  guard(
    "make edits anew over themselves behind one that was refused",
    "internal/mergePool/replica",
    ["  confirmHeld(replica, (n) => refused.has(n))\n", ""],
    lost("counts once behind an edit that was refused")
  ),
  guard(
    "keep what was only tried",
    "internal/mergePool/replica",
    ["  takeBack(state, merged.changes, latest)\n", ""],
    lost("counts once for a client that takes the whole state, wherever it was cut")
  ),
  guard(
    "hand back what is only ahead of the server's time",
    "internal/mergePool/sending",
    ["all.filter(({ serverTime }) => serverTime === null)", "all"],
    pair("gives edits new stamps that are ahead of the server's time, in order")
  ),
  guard(
    "send any number of edits at once",
    "internal/mergePool/sending",
    ["    if (outstanding.length >= maxOutstanding) break\n", ""],
    pair("sends more edits than may wait at once")
  ),
  guard(
    "take fields that no message has",
    "internal/mergePool/messageText",
    ["!Object.hasOwn(shape, field))", 'field === "")'],
    pair("of a client with a field too many is malformed")
  ),
  guard(
    "sum a node for each time it is named",
    "internal/mergePool/messageText",
    ["new Set(given as ReadonlyArray<unknown>).size === (given as []).length", "true"],
    pair("of a client with a node named twice is malformed")
  )
]
