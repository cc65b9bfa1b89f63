#include "signaling/cluster/scripts.hpp"

#include "protocol/base/hex.hpp"
#include "protocol/crypto/hmac.hpp"

namespace nat::cluster {

namespace {

// GET of a name, in its parts; and word to a server that has lost one.
constexpr std::string_view owner_text = R"(
local function owner(v)
  return string.match(v, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
end
local function lost(node, generation, loop, slot, name)
  local r = 'S ' .. generation .. ' ' .. loop .. ' ' .. slot .. ' ' .. name
  redis.call('PUBLISH', 'sig:node:' .. node, #r .. ':' .. r)
end
)";

constexpr std::string_view claim_text = R"(
local hash, kept = ARGV[5], '0'
local v = redis.call('GET', KEYS[1])
if v then
  local node, epoch, generation, loop, slot, secret = owner(v)
  local live = node and node ~= '-' and redis.call('GET', 'sig:n:' .. node) == epoch
  if live or node == '-' then
    if secret ~= ARGV[6] then return {0} end
    hash, kept = secret, '1'
    if live and node ~= ARGV[1] then
      lost(node, generation, loop, slot, ARGV[7])
    end
  end
end
local g = redis.call('INCR', 'sig:g')
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
if g < now then
  g = now
  redis.call('SET', 'sig:g', string.format('%.0f', g))
end
g = string.format('%.0f', g)
redis.call('SET', KEYS[1], table.concat({ARGV[1], ARGV[2], g, ARGV[3], ARGV[4], hash}, ' '))
return {1, g, kept}
)";

constexpr std::string_view route_text = R"(
local epochs, boxes, place, out, last = {}, {}, {}, {}, {}
for i = 1, #KEYS / 2 do
  out[i] = 0
  local from = KEYS[2 * i]
  if not last[from] then
    local v = redis.call('GET', from)
    last[from] = tonumber(v and string.match(v, '^%S+ %S+ (%S+)') or 0)
  end
  local v
  if last[from] > tonumber(ARGV[2 * i]) then
    out[i] = 2
  else
    v = redis.call('GET', KEYS[2 * i - 1])
  end
  if v then
    local node, epoch, generation, loop, slot = owner(v)
    if node and node ~= '-' then
      if epochs[node] == nil then epochs[node] = redis.call('GET', 'sig:n:' .. node) end
      if epochs[node] == epoch then
        local r = 'D ' .. generation .. ' ' .. loop .. ' ' .. slot .. ' ' .. ARGV[2 * i - 1]
        local box = boxes[node]
        if not box then
          box = {}
          boxes[node] = box
        end
        box[#box + 1] = #r .. ':' .. r
        place[i] = node
      else
        redis.call('DEL', KEYS[2 * i - 1])
      end
    end
  end
end
local heard = {}
for node, box in pairs(boxes) do
  heard[node] = redis.call('PUBLISH', 'sig:node:' .. node, table.concat(box))
end
for i = 1, #KEYS / 2 do
  if place[i] and heard[place[i]] > 0 then out[i] = 1 end
end
return out
)";

constexpr std::string_view release_text = R"(
local v = redis.call('GET', KEYS[1])
if not v then return 0 end
local node, epoch, generation, loop, slot, secret = owner(v)
if node == '-' or generation ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], '- 0 ' .. generation .. ' 0 0 ' .. secret, 'PX', ARGV[2])
end
return 1
)";

constexpr std::string_view recover_text = R"(
local out, last = {}, 0
for i = 1, #KEYS do
  local a = 5 * i - 2
  local generation, mode = ARGV[a], ARGV[a + 4]
  local v = redis.call('GET', KEYS[i])
  local node, epoch, g, loop, slot, secret
  if v then node, epoch, g, loop, slot, secret = owner(v) end
  out[i] = 1
  if mode == 'keep' or mode == 'check' then
    local live = node and (node == '-' or redis.call('GET', 'sig:n:' .. node) == epoch)
    local other = mode == 'check' or node ~= ARGV[1]
    if live and other and tonumber(g) > tonumber(generation) then
      out[i] = 0
    else
      if live and node ~= '-' and node ~= ARGV[1] then
        lost(node, g, loop, slot, string.sub(KEYS[i], 7))
      end
      redis.call('SET', KEYS[i],
        table.concat({ARGV[1], ARGV[2], generation, ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]}, ' '))
      if tonumber(generation) > last then last = tonumber(generation) end
    end
  elseif node == ARGV[1] then
    if mode == '0' or string.find(ARGV[a + 3], secret, 1, true) then
      redis.call('DEL', KEYS[i])
    else
      redis.call('SET', KEYS[i], '- 0 ' .. g .. ' 0 0 ' .. secret, 'PX', mode)
    end
  end
end
if last > tonumber(redis.call('GET', 'sig:g') or '0') then
  redis.call('SET', 'sig:g', string.format('%.0f', last))
end
return out
)";

script make(std::string_view text) {
  script out{std::string(owner_text) + std::string(text), {}};
  out.sha = to_hex(crypto::sha1({as_bytes(out.text)}));
  return out;
}

}  // namespace

const script& claim_script() {
  static const script s = make(claim_text);
  return s;
}
const script& route_script() {
  static const script s = make(route_text);
  return s;
}
const script& release_script() {
  static const script s = make(release_text);
  return s;
}
const script& recover_script() {
  static const script s = make(recover_text);
  return s;
}

std::string hash_text(std::string_view secret) {
  return to_hex(crypto::sha256({as_bytes(secret)}));
}
std::string lease_key(std::string_view node) {
  return "sig:n:" + std::string(node);
}
std::string name_key(std::string_view name) {
  return "sig:p:" + std::string(name);
}
std::string inbox_channel(std::string_view node) {
  return "sig:node:" + std::string(node);
}

}  // namespace nat::cluster
