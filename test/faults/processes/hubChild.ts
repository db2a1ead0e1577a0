/**
 * A process that serves a pool over its input and output, in mergeExchange.test.ts. A line is the number of a connection and
 * a message; a larger number is a new connection, whose beginning changes a row. `state` is answered by `state <text>`.
 */
import { createInterface } from "node:readline"
import { makeHub } from "../../../src/internal/mergePool/hub.js"
import type { Delta, ServerMessage } from "../../../src/internal/mergePool/messages.js"
import { makeState, stateText } from "../../../src/internal/mergePool/state.js"
import { definition, keysFrom, start, titles } from "../../mergePool/pools.js"
import { exchange } from "../../support/mergePool/exchangeParts.js"
import { report } from "../../support/processes/report.js"

export interface HubSetting {
  readonly epoch: string
  readonly rows: number
  readonly maxDeltas: number
}

const { epoch, maxDeltas, rows } = JSON.parse(process.argv[2] ?? "{}") as HubSetting

const hub = makeHub(makeState(definition), { epoch, accepts: "all", maxDeltas })
exchange.hub.merge(hub, titles(keysFrom(0, rows), "first"), {})

let number = 0
let connection = exchange.server.open(hub.served)

const send = (message: ServerMessage): void => report(`${number} ${exchange.encode(message)}`)
const publish = (delta: Delta | undefined): void => {
  if (delta !== undefined && connection.phase === "open") send(delta)
}

const receive = (text: string): void => {
  const message = exchange.decodeClient(text)
  if (message._tag === "Malformed") throw new Error(message.message)
  for (const action of exchange.server.receive(connection, message, start + 1_000)) {
    if (action._tag === "Send") send(action.message)
    else {
      const { delta, outcome } = exchange.hub.merge(hub, action.patch, { now: start + 1_000 })
      publish(delta)
      send(exchange.server.answer(action.n, outcome))
    }
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "state") {
    report(`state ${stateText(hub.hashed.state)}`)
    return
  }
  const end = line.indexOf(" ")
  const given = Number(line.slice(0, end))
  if (given > number) {
    number = given
    connection = exchange.server.open(hub.served)
    exchange.hub.merge(hub, titles([`row ${given % 50}`], `changed ${given}`, start + given), {})
  }
  receive(line.slice(end + 1))
})

report("ready")
