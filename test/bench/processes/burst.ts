/**
 * A client in a process of its own: opens connections, then at each message sends one request on every one of them
 * in the same moment, and tells when all are answered.
 */
import { once } from "node:events"
import { connect, type Socket } from "node:net"

const [port, count] = process.argv.slice(2).map(Number)
const request = "POST /orders HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"

const open = async (): Promise<Socket> => {
  const socket = connect({ port: port ?? 0, host: "127.0.0.1", noDelay: true })
  await once(socket, "connect")
  return socket
}

const answered = async (socket: Socket): Promise<void> => {
  let text = ""
  while (!text.includes("\r\n\r\n")) text += String((await once(socket, "data"))[0])
  if (!text.startsWith("HTTP/1.1 204")) throw new Error(`answered ${text.split("\r\n")[0]}`)
}

const sockets = await Promise.all(Array.from({ length: count ?? 0 }, open))

process.on("message", async () => {
  const answers = sockets.map(answered)
  for (const socket of sockets) socket.write(request)
  await Promise.all(answers)
  process.send?.("answered")
})
process.send?.("ready")
