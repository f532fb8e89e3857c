export function bundleClient(
  leftOut?: readonly string[],
): Promise<{ readonly code: Uint8Array; readonly sourceMap: Uint8Array; readonly gzippedBytes: number }>;
