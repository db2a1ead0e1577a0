import type { NamedMutant } from "../named.js"

const inside = (file: string): string => `src/platform/internal/${file}.ts`
const test = (file: string, name: string) => ({ file: `test/platform/${file}.test.ts`, name })

const anyAnswer = test(
  "HttpAudit.storable",
  "whatever it is, the request has one record that can be stored, and its own response"
)
const anyCursor = test("WatchSse.resume", "sends no history and no snapshot, whatever cursor a client brings")

/** What clients cannot do: leave the audit trail, read what a route does not deliver, hold up the others. */
export const platformMutants: ReadonlyArray<NamedMutant> = [
  {
    name: "audit a text as it was given",
    file: inside("audit/storable"),
    find: 'return short.replace(unstorable, "\\uFFFD")',
    replace: "return short",
    test: anyAnswer
  },
  {
    name: "audit an answer that is no text",
    file: inside("audit/storable"),
    find: "isPromise(given)\n      return undefined",
    replace: "return given as never",
    test: anyAnswer
  },
  {
    name: "audit what a redaction returned as it is",
    file: inside("audit/entry"),
    find: "  return read.entry\n",
    replace: "  return given as Entry\n",
    test: anyAnswer
  },
  {
    name: "audit an upgrade when it ends",
    file: inside("audit/head"),
    find: "    record(onHead, arrival, 101)\n",
    replace: "",
    test: test(
      "HttpAudit.upgrade",
      "is recorded as 101 when it opens, once, with the actor that its handler set"
    )
  },
  {
    name: "audit no upgrade that is refused",
    file: inside("audit/head"),
    find: "Upgrade.whenClosed(request, (status) => record(onHead, arrival, status))",
    replace: "",
    test: test("HttpAudit.upgrade", "that is refused is recorded as its client saw it")
  },
  {
    name: "serve history after a start that was not given out",
    file: inside("sse/encoding"),
    find: "revision.epoch === starts.epoch && revision.tag === starts.word",
    replace: "true",
    test: anyCursor
  },
  {
    name: "serve a snapshot to a client without a cursor",
    file: inside("sse/open"),
    find: 'options.snapshot === "first" ? "on" : "off"',
    replace: '"on"',
    test: anyCursor
  },
  {
    name: "serve the same cursor for ever",
    file: inside("sse/frames"),
    find: 'next === "restart" ? event + Sse.resetId : event',
    replace: "event",
    test: anyCursor
  },
  {
    name: "serve an event that is made for each client",
    file: inside("sse/encodedFrames"),
    find: "texts.get(key) ?? keep(key",
    replace: "keep(key",
    test: test("WatchSse.many", "for those that get parts of a revision, each by a predicate of its own")
  },
  {
    name: "serve the value before that is made for each client",
    file: inside("sse/encodedFrames"),
    find: "return twin ?? event",
    replace: "return event",
    test: test("WatchSse.many", "for those that get the value before too")
  },
  {
    name: "serve everybody in one turn",
    file: inside("sse/slices"),
    find: "slices.admitted < slices.maxPerTurn && slices.nanos() < slices.until",
    replace: "true",
    test: test(
      "WatchSse.many",
      "opens a few responses, delivers to a few clients and sends a few heartbeats, in order"
    )
  },
  {
    name: "let a proxy compress the response of a follow",
    file: "src/platform/WatchSse.ts",
    find: '"private, no-cache, no-store, no-transform"',
    replace: '"private, no-cache, no-store"',
    test: test("WatchSse.network", "events and heartbeats pass a proxy that compresses")
  },
  {
    name: "leave the connection of a client that never reads open",
    file: inside("source"),
    find: 'if (typeof socket?.destroy === "function") socket.destroy()',
    replace: "if (socket === undefined) return",
    test: test("WatchSse.network", "a client that never reads is ended and disconnected after the limit")
  },
  {
    name: "let a client take as long as it likes",
    file: inside("sse/session"),
    find: "Effect.andThen(cancel), ",
    replace: "",
    test: test("WatchSse.slow", "is ended when it has taken nothing for the limit, and not before")
  },
  {
    name: "end a client for which nothing comes",
    file: inside("sse/stall"),
    find: "      times.due.delete(onDue)\n",
    replace: "",
    test: test("WatchSse.slow", "is not ended while it takes what comes, or nothing comes")
  },
  {
    name: "have a large revision taken as fast as a small one",
    file: inside("sse/stall"),
    find: "left = Math.floor(bytes / partBytes)",
    replace: "left = bytes > 0 ? 0 : partBytes",
    test: test("WatchSse.slow", "has as long again for each further 256 KiB of a revision")
  },
  {
    name: "end the follow of every client for a value that has no JSON",
    file: inside("sse/values"),
    find: "        leftOut(fault)\n        return undefined\n",
    replace: "        leftOut(fault)\n        throw fault\n",
    test: test("WatchSse", "is left out, counted and logged, and the others go on, of clients now and later")
  },
  {
    name: "leave a client before a revision of which nothing is sent",
    file: inside("sse/frames"),
    find: 'if (changes.length === 0) return reached("progress", revision)',
    replace: 'if (changes.length === 0) return ""',
    test: test("WatchSse", "alone in its revision, is a progress, after which a client resumes")
  },
  {
    name: "leave out a change for the value before it",
    file: inside("sse/frames"),
    find: 'encoded === undefined ? ""',
    replace: 'encoded === null ? ""',
    test: test("WatchSse", "before a change, is left out of it alone")
  }
]
