/** What Stryker's report says of a file, and which of its survivors have a reason. Pure. */
import type { Harmless } from "./survivors.js"

interface Position {
  readonly line: number
  readonly column: number
}

export interface FileReport {
  readonly source: string
  readonly mutants: ReadonlyArray<{
    readonly mutatorName: string
    readonly replacement?: string
    readonly status: string
    readonly location: { readonly start: Position; readonly end: Position }
  }>
}

/** A mutant that no test noticed. */
export interface Survivor {
  readonly line: number
  /** What it stands in, and the text of its line: it is found again when other lines come or go. */
  readonly at: string
  /** The source that was changed, and what stood there instead, each with its white space folded. */
  readonly from: string
  readonly to: string
}

export interface Counts {
  readonly detected: number
  readonly undetected: number
}

export interface Judged extends Counts {
  readonly file: string
  readonly listed: ReadonlyArray<{ readonly survivor: Survivor; readonly reason: string }>
  readonly unlisted: ReadonlyArray<Survivor>
}

const fold = (text: string): string => text.replace(/\s+/g, " ").trim()

/** The text between two positions; they count from 1. */
const between = (lines: ReadonlyArray<string>, start: Position, end: Position): string => {
  const text = lines.slice(start.line - 1, end.line)
  text[text.length - 1] = (text[text.length - 1] ?? "").slice(0, end.column - 1)
  text[0] = (text[0] ?? "").slice(start.column - 1)
  return text.join("\n")
}

/** The top-level declaration that a line stands in. */
const nameAbove = (lines: ReadonlyArray<string>, line: number): string => {
  for (let at = line - 1; at >= 0; at--) {
    const name = /^(?:export )?(?:const|class|function) (\w+)/.exec(lines[at] ?? "")?.[1]
    if (name !== undefined) return name
  }
  return ""
}

/** What a line stands in, and its text. */
const placeOf = (lines: ReadonlyArray<string>, line: number): string =>
  `${nameAbove(lines, line)}: ${fold(lines[line - 1] ?? "")}`

/** The entries of a file that no line of it can be meant by: none begins so, or has what is to be changed. */
export const staleOf = (source: string, { mutants }: Harmless): ReadonlyArray<string> => {
  const lines = source.split("\n")
  const changes = (line: number, from: string): boolean => {
    const at = fold(lines.slice(line - 1).join("\n")).indexOf(from)
    return at >= 0 && at <= fold(lines[line - 1] ?? "").length
  }
  return mutants
    .filter(
      ([at, from]) => !lines.some((_, i) => placeOf(lines, i + 1).startsWith(at) && changes(i + 1, from))
    )
    .map(([at, from]) => `${at}: ${from}`)
}

const survivorsOf = ({ mutants, source }: FileReport): ReadonlyArray<Survivor> => {
  const lines = source.split("\n")
  return mutants
    .filter(({ status }) => status === "Survived" || status === "NoCoverage")
    .map(({ location: { end, start }, replacement }) => ({
      line: start.line,
      at: placeOf(lines, start.line),
      from: fold(between(lines, start, end)),
      to: fold(replacement ?? "")
    }))
}

const reasonOf = (file: string, found: Survivor, list: ReadonlyArray<Harmless>): string | undefined =>
  list.find(
    (entry) =>
      entry.file === file &&
      entry.mutants.some(
        ([at, from, to]) => found.at.startsWith(at) && found.from.startsWith(from) && found.to.startsWith(to)
      )
  )?.reason

export const judge = (file: string, report: FileReport, list: ReadonlyArray<Harmless>): Judged => {
  const survivors = survivorsOf(report).map((survivor) => ({
    survivor,
    reason: reasonOf(file, survivor, list)
  }))
  return {
    file,
    detected: report.mutants.filter(({ status }) => status === "Killed" || status === "Timeout").length,
    undetected: survivors.length,
    listed: survivors.flatMap(({ reason, survivor }) => (reason === undefined ? [] : [{ reason, survivor }])),
    unlisted: survivors.filter(({ reason }) => reason === undefined).map(({ survivor }) => survivor)
  }
}

export const totalOf = (judged: ReadonlyArray<Judged>): Counts => ({
  detected: judged.reduce((sum, { detected }) => sum + detected, 0),
  undetected: judged.reduce((sum, { undetected }) => sum + undetected, 0)
})

/** In per cent, as Stryker counts it: killed and timed out, of all that could be noticed. */
export const scoreOf = ({ detected, undetected }: Counts): number =>
  detected + undetected === 0 ? 100 : (100 * detected) / (detected + undetected)

export const failuresOf = (judged: ReadonlyArray<Judged>): ReadonlyArray<string> =>
  judged.flatMap(({ file, unlisted }) =>
    unlisted.map(({ from, line, to }) => `survived: ${file}:${line}  ${from}  =>  ${to}`)
  )

const code = (text: string): string => `\`${text.length > 90 ? `${text.slice(0, 87)}...` : text}\``

const row = (name: string, counts: Counts): string =>
  `| ${name} | ${counts.detected} | ${counts.undetected} | ${scoreOf(counts).toFixed(1)} % |`

const section = ({ file, listed, unlisted }: Judged): ReadonlyArray<string> => {
  const reasons = new Map<string, Array<Survivor>>()
  const noted = [...listed, ...unlisted.map((survivor) => ({ survivor, reason: "no reason yet" }))]
  for (const { reason, survivor } of noted) {
    reasons.set(reason, [...(reasons.get(reason) ?? []), survivor])
  }
  if (reasons.size === 0) return []
  const points = [...reasons].flatMap(([reason, survivors]) => [
    `- ${reason}`,
    ...survivors.map(({ from, line, to }) => `  - line ${line}: ${code(from)} → ${code(to)}`)
  ])
  return ["", `### ${file}`, "", ...points]
}

export const resultsOf = (judged: ReadonlyArray<Judged>, least: number): string =>
  [
    "# Mutants",
    "",
    `\`npm run mutants\` writes this file. Its score must be at least ${least} %, and every survivor must have a reason in`,
    "`survivors.ts`. `npm run mutants:named` breaks the guards of `named.ts` one by one.",
    "",
    "| file | noticed | survived | score |",
    "| --- | ---: | ---: | ---: |",
    ...judged.map((one) => row(one.file, one)),
    row("all", totalOf(judged)),
    "",
    "## Survivors, and why each is harmless",
    ...judged.flatMap(section),
    ""
  ].join("\n")
