/** The end of a turn, in a host that has `setImmediate` and in one that has messages alone. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Turn from "../../src/internal/turn.js"

/** A host whose messages wait until they are delivered. */
const messages = () => {
  const posted: Array<() => void> = []
  class Channel {
    readonly port1: { onmessage: (() => void) | null; postMessage: () => void } = {
      onmessage: null,
      postMessage: () => undefined
    }
    readonly port2 = { onmessage: null, postMessage: () => posted.push(() => this.port1.onmessage?.()) }
  }
  const deliver = () => {
    for (const message of posted.splice(0)) message()
  }
  return { host: { MessageChannel: Channel }, deliver }
}

describe("the end of a turn", () => {
  it("comes with a message, each task once and in order", () => {
    const { deliver, host } = messages()
    const turn = Turn.ofHost(host)
    const done: Array<number> = []
    turn.schedule(() => done.push(1))
    turn.schedule(() => {
      done.push(2)
      turn.schedule(() => done.push(3))
    })
    expect(done).toEqual([])
    deliver()
    expect(done).toEqual([1, 2])
    deliver()
    deliver()
    expect(done).toEqual([1, 2, 3])
  })

  it("is the host's own where it has one", () => {
    const scheduled: Array<() => void> = []
    const { host } = messages()
    const turn = Turn.ofHost({ ...host, setImmediate: (task) => scheduled.push(task) })
    const task = () => undefined
    turn.schedule(task)
    expect(scheduled).toEqual([task])
  })

  it.effect("comes behind all microtasks", () =>
    Effect.gen(function* () {
      const turn = yield* Turn.CurrentTurn
      const done: Array<string> = []
      yield* Effect.async<void>((resume) => {
        turn.schedule(() => {
          done.push("turn")
          resume(Effect.void)
        })
        queueMicrotask(() => {
          done.push("microtask")
          queueMicrotask(() => done.push("its microtask"))
        })
      })
      expect(done).toEqual(["microtask", "its microtask", "turn"])
    })
  )
})
