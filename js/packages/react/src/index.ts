// The public names of the hooks.
export { ParlourProvider, type ParlourProviderProps, useClient } from "./provider.js";
export { useConnection } from "./use-connection.js";
export { useConversation } from "./use-conversation.js";
export { useConversations } from "./use-conversations.js";
export { useMe } from "./use-me.js";
export { usePresence } from "./use-presence.js";
export { useStore } from "./use-store.js";
export { useTimeline } from "./use-timeline.js";
export { useTyping } from "./use-typing.js";
