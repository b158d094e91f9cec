// The test doubles under one name, for the workspace's own packages.
export { FakeClock, settle } from "./fake-clock.js";
export { FakeDevice, type FakeTab } from "./fake-device.js";
export { FakeConversation } from "./fake-log.js";
export { refusal } from "./fake-peer.js";
export { FakeServer } from "./fake-server.js";
