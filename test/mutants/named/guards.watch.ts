/** Guards of the watch and of its responses over HTTP, each held by one test. */
import type { NamedMutant } from "../named.js"

const guard = (
  name: string,
  file: string,
  [find, replace]: readonly [find: string, replace: string],
  [test, title]: readonly [test: string, title: string]
): NamedMutant => ({
  name: `watch: ${name}`,
  file: `src/${file}.ts`,
  find,
  replace,
  test: { file: `test/${test}.test.ts`, name: title }
})

export const watchGuards: ReadonlyArray<NamedMutant> = [
  guard(
    "count only a success as an answer of the log",
    "internal/watch/dispatcher",
    [
      "isUnavailable(error) ? State.setCause(dispatcher, error) : State.noteAnswer(dispatcher)",
      "State.setCause(dispatcher, error)"
    ],
    ["watch/health", "a log that answers that something is gone has answered"]
  ),
  guard(
    "write everything that waits at once",
    "platform/internal/sse/session",
    ["while (size <", "while (size >= 0 || size <"],
    ["platform/WatchSse.slow", "is written a little at a time"]
  )
]
