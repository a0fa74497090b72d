-- request.lua -- what a server runs for a request: the zones of a country
--
-- table: the text of zones.tab; query: as "country=US&limit=10"
local table_text, query = ...

local wanted = {}
for key, value in query:gmatch("([%w_]+)=([^&]*)") do
	value = value:gsub("+", " "):gsub("%%(%x%x)", function(hex)
		return string.char(tonumber(hex, 16))
	end)
	wanted[key] = value
end

local zones = {}
for line in table_text:gmatch("[^\n]+") do
	if line:sub(1, 1) ~= "#" then
		local codes, where, tz, comments =
			line:match("^(%S+)\t(%S+)\t(%S+)\t?(.*)$")
		local zone = { tz = tz, where = where, comments = comments,
			countries = {} }
		for code in codes:gmatch("%u%u") do
			zone.countries[code] = true
		end
		zones[#zones + 1] = zone
	end
end

local found = {}
for _, zone in ipairs(zones) do
	if not wanted.country or zone.countries[wanted.country] then
		found[#found + 1] = zone
	end
end
table.sort(found, function(a, b) return a.tz < b.tz end)

local out = { "<ul>" }
for i, zone in ipairs(found) do
	if i > (tonumber(wanted.limit) or 1000) then
		break
	end
	out[#out + 1] = ("<li><b>%s</b> %s %s</li>"):format(zone.tz, zone.where,
		zone.comments)
end
out[#out + 1] = "</ul>"
return table.concat(out, "\n")
