import { describeEventStoreContract, describeMessageBusContract, describeSessionsContract } from '@rondo/testing';
import { Dice } from './dice.ts';
import { Machine } from './machine.ts';
import { SimNetwork } from './network.ts';
import { Recorder } from './recorder.ts';
import { SimBus } from './sim-bus.ts';
import { SimStore } from './sim-store.ts';
import { VirtualTime } from './virtual-time.ts';
import { Weather } from './weather.ts';

/** Virtual milliseconds in a real one: the suites wait by the machine's clock. */
const SPEED = 200;

function calmWorld() {
  const time = new VirtualTime();
  const dice = new Dice(1);
  const weather = new Weather(time, dice, new Recorder(time, false), 0);
  let isOver = false;
  const pass = async (): Promise<void> => {
    const begin = performance.now();
    while (!isOver) {
      await time.run(() => isOver, (performance.now() - begin) * SPEED);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const passed = pass();
  const end = (): Promise<void> => {
    isOver = true;
    return passed;
  };
  return { time, dice, weather, end, machine: (name: string) => new Machine(name, time, dice.fork(name)) };
}

describeEventStoreContract('simulated', () => {
  const world = calmWorld();
  const server = new SimStore(world.time, world.dice, world.weather, false, Date.now);
  return Promise.resolve({
    store: server.client(world.machine('a')),
    connect: () => Promise.resolve(server.client(world.machine('b'))),
    dispose: world.end,
  });
});

describeMessageBusContract('simulated', () => {
  const world = calmWorld();
  const broker = new SimBus(world.time, world.dice, world.weather, { sessionMs: 5_000, commitMs: 200 });
  return Promise.resolve({ bus: broker.client(world.machine('a')), dispose: world.end });
});

describeSessionsContract('simulated', (stores) => {
  const world = calmWorld();
  const network = new SimNetwork(world.time, world.dice, world.weather, stores);
  return Promise.resolve({
    host: network.host(world.machine('gateway'), 'gateway:1'),
    line: () => network.line(world.machine('worker'), 'gateway:1'),
    dispose: world.end,
  });
});
