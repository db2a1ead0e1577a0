/**
 * A TCP proxy in front of a server, whose links do to the bytes what a test says. It knows nothing of their protocol;
 * what does may rewrite them.
 */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { Effect, type Scope } from "effect"

/**
 * What becomes of some bytes, and of their link:
 *
 * - `pass`, or a number: they go on, after so many milliseconds. What follows them stays behind them.
 * - `cut`: the link ends in order on both sides, and they are lost.
 * - `reset`: the link breaks on both sides (RST), and they are lost.
 * - `freeze`: they and all that follows are lost, in both directions, and neither side is told. A half-open link.
 */
export type Fate = "pass" | "cut" | "reset" | "freeze" | number

/** Decides for each chunk of bytes as it arrives, and is where a test learns that it did. */
export interface Rules {
  readonly fromClient?: (bytes: Buffer) => Fate
  readonly fromServer?: (bytes: Buffer) => Fate
}

/** Rewrites what the server sends on one link; bytes that it keeps back go with later ones. */
export type Rewrite = (bytes: Buffer) => Buffer

export interface TcpProxy {
  readonly port: number
  /** From now on, for all links. Links that are frozen stay so. */
  readonly follow: (rules: Rules) => void
  /** Breaks all links (RST), also those that are frozen: their ends find out. */
  readonly breakAll: Effect.Effect<void>
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  frozen: boolean
}

const end = (link: Link, how: "cut" | "reset"): void => {
  for (const socket of [link.client, link.server]) {
    if (how === "reset") socket.resetAndDestroy()
    else socket.destroy()
  }
}

/** Carries one direction of a link. */
const carry = (
  link: Link,
  from: Socket,
  to: Socket,
  decide: (bytes: Buffer) => Fate,
  rewrite: Rewrite = (bytes) => bytes
): void => {
  let before: Promise<void> | undefined
  const inOrder = (action: () => void, millis = 0): void => {
    if (before === undefined && millis === 0) {
      action()
      return
    }
    const turn = (before ?? Promise.resolve()).then(() => delay(millis)).then(action)
    before = turn
    void turn.then(() => {
      if (before === turn) before = undefined
    })
  }
  const pass = (bytes: Buffer) => () => {
    if (!link.frozen && to.writable) to.write(rewrite(bytes))
  }
  from.on("data", (bytes) => {
    if (link.frozen) return
    const fate = decide(bytes)
    if (fate === "freeze") link.frozen = true
    else if (fate === "cut" || fate === "reset") end(link, fate)
    else inOrder(pass(bytes), fate === "pass" ? 0 : fate)
  })
  from.on("error", () => {})
  from.on("close", () => {
    if (!link.frozen) inOrder(() => to.destroy())
  })
}

/** A proxy on a free loopback port. It and its links end with the scope. `rewriting` makes what rewrites, for each link. */
export const tcpProxy = (
  target: number,
  rewriting: () => Rewrite = () => (bytes) => bytes
): Effect.Effect<TcpProxy, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        let rules: Rules = {}
        const links = new Set<Link>()
        const server = createServer((client) => {
          const link: Link = {
            client,
            server: connect({ port: target, host: "127.0.0.1", noDelay: true }),
            frozen: false
          }
          client.setNoDelay()
          links.add(link)
          carry(link, client, link.server, (bytes) => rules.fromClient?.(bytes) ?? "pass")
          carry(link, link.server, client, (bytes) => rules.fromServer?.(bytes) ?? "pass", rewriting())
        })
        server.listen(0, "127.0.0.1")
        await once(server, "listening")
        const address = server.address()
        const port = address === null || typeof address === "string" ? 0 : address.port
        const follow = (next: Rules) => {
          rules = next
        }
        const breakAll = Effect.sync(() => {
          for (const link of links) end(link, "reset")
          links.clear()
        })
        return { proxy: { port, follow, breakAll }, server, links }
      }),
      ({ links, server }) =>
        Effect.sync(() => {
          server.close()
          for (const link of links) end(link, "cut")
        })
    ),
    ({ proxy }) => proxy
  )

/** The same address, by way of a proxy. */
export const throughProxy = (url: string, { port }: TcpProxy): string =>
  Object.assign(new URL(url), { port: String(port) }).href
