/**
 * The one seam to the host's event loop: work that waits for the end of the present turn, so that all the
 * requests of one turn share a batch. Waking by microtask was measured to make one batch per request.
 */
import { Context } from "effect"

export interface Turn {
  /** Runs the task once, at the end of the present event-loop turn. */
  readonly schedule: (task: () => void) => void
}

interface Port {
  onmessage: (() => void) | null
  readonly postMessage: (message: null) => void
}

export interface Host {
  readonly setImmediate?: (task: () => void) => unknown
  readonly MessageChannel: new () => { readonly port1: Port; readonly port2: Port }
}

const byMessages = ({ MessageChannel }: Host): Turn => {
  const tasks: Array<() => void> = []
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => tasks.shift()?.()
  return {
    schedule: (task) => {
      tasks.push(task)
      port2.postMessage(null)
    }
  }
}

// Effect's schedulers know microtasks and timers (1 ms and more) only. Browsers end a turn with a message.
export const ofHost = (host: Host): Turn =>
  host.setImmediate === undefined ? byMessages(host) : { schedule: host.setImmediate }

/** Tests replace it to decide themselves when a turn ends. */
export class CurrentTurn extends Context.Reference<CurrentTurn>()("effect-recorder/internal/Turn", {
  defaultValue: (): Turn => ofHost(globalThis as unknown as Host)
}) {}
