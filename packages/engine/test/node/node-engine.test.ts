/** The portable engine keeps every contract. */
import { networkInterfaces } from 'node:os'
import { connectionContract } from '../contract/connection.ts'
import { datagramContract } from '../contract/datagrams.ts'
import { descriptorContract } from '../contract/descriptors.ts'
import { dialContract } from '../contract/dial.ts'
import { listenerContract } from '../contract/listener.ts'
import { relayContract } from '../contract/relay.ts'
import type { Cannot } from '../contract/scene.ts'
import { secureClientContract } from '../contract/secure-client.ts'
import { secureContract } from '../contract/secure.ts'
import { createNodeEngine } from '../../src/node/node-engine.ts'

const hasIpv6 = Object.values(networkInterfaces()).some(all => all?.some(one => one.address === '::1'))
const cannot: Cannot = hasIpv6 ? {} : { ipv6: 'this machine has no ::1' }

connectionContract(createNodeEngine)
listenerContract(createNodeEngine, cannot)
dialContract(createNodeEngine)
secureContract(createNodeEngine, cannot)
secureClientContract(createNodeEngine, cannot)
datagramContract(createNodeEngine, cannot)
relayContract(createNodeEngine, cannot)
descriptorContract('node', 'closed')
