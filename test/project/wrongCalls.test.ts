/** The compiler's messages about mistaken calls name the remedy. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { beforeAll, describe, expect, it } from "vitest"
import { read, root } from "../support/project.js"

const run = promisify(execFile)
const mark = "// @ts-expect-error "
const folder = path.join(root, "test/.tmp/wrongCalls")
const lines = read("test/project/types/wrongCalls.ts").split("\n")

const calls = lines.flatMap((line, index) => {
  const at = line.indexOf(mark)
  // The compiler counts lines from 1, and the call is on the next one.
  return at < 0 ? [] : [{ line: index + 2, remedy: line.slice(at + mark.length), call: lines[index + 1]! }]
})

/** The compiler's message about each line: its first line is followed by reasons, which are indented. */
const messages = new Map<number, string>()

beforeAll(async () => {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, "calls.ts"), lines.join("\n").replaceAll(mark, "// "))
  fs.writeFileSync(
    path.join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../../tsconfig.json", include: ["calls.ts"], exclude: [] })
  )
  const tsc = ["node_modules/typescript/bin/tsc", "-p", folder, "--pretty", "false"]
  const { stdout } = await run(process.execPath, tsc, { cwd: root }).catch((error) => error)
  for (const [, line, message] of stdout.matchAll(/^\S+calls\.ts\((\d+),\d+\): (.*(?:\n .*)*)/gm)) {
    messages.set(Number(line), message)
  }
}, 60_000)

describe("a mistaken call", () => {
  it.each(calls)("$call is answered by: $remedy", ({ line, remedy }) => {
    expect(messages.get(line)).toContain(remedy)
  })

  it("is the only one that is refused", () => {
    const known = new Set(calls.map(({ line }) => line))
    expect([...messages].filter(([line]) => !known.has(line))).toEqual([])
  })
})
