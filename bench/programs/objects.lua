-- An ordinary program: records parsed from text, grouped, sorted, and joined again.
local function lines(count)
  local state, result = 12345, {}
  for i = 1, count do
    state = (state * 1103515245 + 12345) % 2147483648
    result[i] = "user" .. state % 5000 .. "," .. state % 997 .. "," .. state % 3 .. "/" .. state % 7
  end
  return result
end

local function group(all)
  local groups = {}
  for _, line in ipairs(all) do
    local name, amount, tags = line:match("([^,]*),([^,]*),(.*)")
    groups[name] = groups[name] or {}
    table.insert(groups[name], {amount = tonumber(amount), tags = tags})
  end
  return groups
end

local function summarize(groups)
  local names, total = {}, 0
  for name in pairs(groups) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local records, parts = groups[name], {}
    table.sort(records, function(a, b)
      if a.amount ~= b.amount then return a.amount < b.amount end
      return a.tags < b.tags
    end)
    for i, record in ipairs(records) do parts[i] = record.amount .. ":" .. record.tags end
    total = total + #table.concat(parts, ";")
  end
  return total
end

for _ = 1, 6 do print(summarize(group(lines(100000)))) end
