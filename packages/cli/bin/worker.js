// Starts one worker thread of `socksmith serve`.
import { load } from './load.js'

const thread = await load('serving/worker-thread')
await thread.runWorker()
