// Ports for the rigs' servers, chosen as the product chooses those of its own.

export { freePort } from '../../src/dev/free-port.ts';
