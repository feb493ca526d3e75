// A worker of `socksmith serve` that dies of an error when it is told to: a bug, as far as anybody can see.
import { parentPort } from 'node:worker_threads'
import '../../bin/worker.js'

parentPort.on('message', message => {
  if (message.kind === 'die') throw new Error('a planted fault')
})
