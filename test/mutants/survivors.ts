/** Mutants that no test can notice, or that do no harm, and why. */
export interface Harmless {
  readonly file: string
  readonly reason: string
  /**
   * The declaration and the line in it, and how the changed part and what stands there instead begin; white space is
   * folded.
   */
  readonly mutants: ReadonlyArray<readonly [at: string, from: string, to: string]>
}

const bulk = "src/internal/bulk.ts"

export const harmless: ReadonlyArray<Harmless> = [
  {
    file: bulk,
    reason: "It is set when a bisection begins, before anybody reads it.",
    mutants: [
      ["make: storedWhileProbing: false,", "false", "true"],
      ["make: begunByNewcomers: false,", "false", "true"],
      ["beginProbing: bulk.wantsMore = false", "false", "true"]
    ]
  },
  {
    file: bulk,
    reason: "The batch is finished there: nobody reads the rest of its state.",
    mutants: [
      ["endProbing: if (suspects.length === 0) return", "suspects.length === 0", "false"],
      ["condemn: bulk.probing = false", "false", "true"],
      ["condemn: bulk.doubted = false", "false", "true"],
      ["condemn: bulk.wantsMore = false", "false", "true"]
    ]
  },
  {
    file: bulk,
    reason: "It is there whenever this line is reached; the types do not know.",
    mutants: [
      [
        "endProbing: bulk.failure = suspects[suspects.length - 1]?.cause",
        "suspects[suspects.length - 1]?.cause",
        ""
      ],
      ['exhausted: if (failure?.kind === "Unknown" && bulk.unknowns > 0) {', "failure?.kind", "failure.kind"]
    ]
  },
  {
    file: bulk,
    reason: "A bad record is the next step in any case: only the order of the bookkeeping behind it changes.",
    mutants: [["next: if (bulk.bad.length === 0 && bulk.probing) {", "bulk.bad.length === 0", ""]]
  },
  {
    file: bulk,
    reason: "To accuse nobody changes nothing.",
    mutants: [["next: if (bulk.followed > 0) accuse(bulk)", "bulk.followed > 0", ""]]
  },
  {
    file: bulk,
    reason: "Outside a bisection there are no suspects, and its flag is set anew when one begins.",
    mutants: [["progressed: if (!bulk.probing) return", "!bulk.probing", "false"]]
  },
  {
    file: bulk,
    reason: "A shortcut: the answer of `next` is the same, a little later, or one step later.",
    mutants: [
      [
        'mustWait: (bulk.failure !== undefined || bulk.probing) && next(bulk)._tag === "Wait"',
        "bulk.failure !== undefined || bulk.probing",
        "true"
      ],
      ['isDone: bulk.ranges.length === 0 && next(bulk)._tag === "Done"', "bulk.ranges.length === 0", ""]
    ]
  },
  {
    file: bulk,
    reason: "The range is on top now, where the flag is not read; at worst a half is tried in two parts.",
    mutants: [["saved: right.rightHalf = false", "false", "true"]]
  },
  {
    file: bulk,
    reason: "What is no position is passed over, as other nonsense of a storage is.",
    mutants: [["failedPoison: for (const { index, cause } of failure.bad ?? []) {", "[]", "["]]
  },
  {
    file: bulk,
    reason:
      "Unknown failures are counted only in a row: where the count is above 0 the last one was of that kind.",
    mutants: [
      [
        'exhausted: if (failure?.kind === "Unknown" && bulk.unknowns > 0) {',
        'failure?.kind === "Unknown"',
        "true"
      ]
    ]
  }
]
