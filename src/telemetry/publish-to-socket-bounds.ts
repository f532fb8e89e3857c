/** Bounds of the buckets of `stentor_publish_to_socket_seconds`, in milliseconds. */
export const PUBLISH_TO_SOCKET_BOUNDS_MS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000] as const;
