/** Cuts the connections of processes and kills their sessions, again and again, while they work. */
import { Effect, Stream } from "effect"
import type { Frame } from "../../../src/Watch.js"
import type { Fate, TcpProxy } from "../http/tcpProxy.js"
import { openClient } from "./tables.js"

/** Cuts one connection after the other, each after so many chunks of bytes. */
export const cutting = (cuts: ReadonlyArray<number>, proxies: ReadonlyArray<TcpProxy>) => {
  let left = cuts[0] ?? 0
  let done = 0
  const fate = (): Fate => {
    if (--left > 0) return "pass"
    done++
    left = cuts[done % cuts.length] ?? 0
    return done % 2 === 0 ? "cut" : "reset"
  }
  for (const proxy of proxies) proxy.follow({ fromClient: fate, fromServer: fate })
  const end = () => {
    for (const proxy of proxies) proxy.follow({})
  }
  return { count: () => done, end }
}

/** Kills all sessions of a name after so many more revisions that a follower is given, again and again. */
export const killing = <V, E>(
  url: string,
  name: string,
  followed: Stream.Stream<Frame<V>, E>,
  kills: ReadonlyArray<number>
) =>
  Effect.gen(function* () {
    const admin = yield* openClient(url)
    let done = 0
    let next = kills[0] ?? 0
    const kill = Effect.suspend(() => {
      next += kills[++done % kills.length] ?? 0
      return admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [
        name
      ])
    })
    yield* Effect.fork(
      Stream.runForEach(followed, (frame) =>
        frame._tag === "Events" && frame.revision.seq >= next ? kill : Effect.void
      )
    )
    return () => done
  })
