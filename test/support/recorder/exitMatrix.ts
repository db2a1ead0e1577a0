/** What is kept of the accepted records when a process ends: the table that the README shows and the tests prove. */

/** How a process can end. The first five it does itself, the others are done to it. */
export const ways = {
  return: "the main program returns",
  error: "the main program fails",
  exit: "`process.exit` in the tick of the save",
  exception: "an uncaught exception",
  rejection: "an unhandled rejection",
  SIGTERM: "SIGTERM",
  SIGINT: "SIGINT (Ctrl+C)",
  SIGHUP: "SIGHUP",
  SIGKILL: "SIGKILL"
} as const

export type Way = keyof typeof ways

/** What runs the program: all three close their recorder when their main program ends. */
export const hosts = {
  runMain: "`NodeRuntime.runMain`",
  runPromise: "`Effect.runPromise`",
  facade: "plain Node.js, `await close()` on signals"
} as const

export type Host = keyof typeof hosts

/**
 * - `kept`: every accepted record is stored.
 * - `last commit`: what was committed is stored, in order and without gaps; what was waiting is lost.
 * - `lost`: the records of that tick are lost, all of them, also when the storage is idle.
 *
 * A record whose `saveDurable` has completed is kept in each of them.
 */
export type Verdict = "kept" | "last commit" | "lost"

const same = (verdict: Verdict) => ({ runMain: verdict, runPromise: verdict, facade: verdict })

export const exitMatrix: { readonly [W in Way]: { readonly [H in Host]: Verdict } } = {
  return: same("kept"),
  error: same("kept"),
  exit: same("lost"),
  exception: same("last commit"),
  rejection: same("last commit"),
  SIGTERM: { runMain: "kept", runPromise: "last commit", facade: "kept" },
  SIGINT: { runMain: "kept", runPromise: "last commit", facade: "kept" },
  SIGHUP: { runMain: "last commit", runPromise: "last commit", facade: "kept" },
  SIGKILL: same("last commit")
}

const words: { readonly [V in Verdict]: string } = {
  kept: "kept",
  "last commit": "kept up to the last commit",
  lost: "lost"
}

/** The matrix as the README's table. */
export const exitTable = (): string => {
  const rows = [
    ["the process ends by", ...Object.values(hosts)],
    ...Object.entries(ways).map(([way, told]) => [
      told,
      ...Object.keys(hosts).map((host) => words[exitMatrix[way as Way][host as Host]])
    ])
  ]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  const [head = [], ...body] = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n")
}
