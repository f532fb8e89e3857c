/** Who is subscribed to all of them: presence counts. */
export const HALL = 'hall.all';

export const userName = (index: number): string => `p${index}`;
/** Durable, with presence of members. */
export const roomOf = (room: number): string => `room.r${room}`;
/** Ephemeral, sanitized, with hooks. */
export const talkOf = (room: number): string => `talk.t${room}`;
