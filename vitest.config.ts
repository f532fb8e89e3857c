import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/seed-each-test.ts'],
    // Real servers and processes on two shared cores: generous, since a test waits for events and fails by assertion, not by clock. One wait takes 30 s at
    // most, and a test has several.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    restoreMocks: true,
  },
});
