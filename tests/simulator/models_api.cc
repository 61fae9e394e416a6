#include "models_api.h"

#include <boost/json.hpp>
#include <initializer_list>

#include "edit_rules.h"
#include "fault_answers.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

constexpr const char* kListedModels[] = {kEditModel, "luma-ray-3-2-generate",
                                         "luma-ray-3-2-reframe", "seedream-5.0-lite"};

json::object Parameter(const char* name, const char* type, bool required, const char* text) {
  return {{"name", name},
          {"display_name", name},
          {"description", text},
          {"type", type},
          {"required", required}};
}

json::object Choice(const char* name, std::initializer_list<const char*> words, const char* text) {
  json::object out = Parameter(name, "enum", false, text);
  json::array options;
  for (const char* word : words) options.push_back(word);
  out["options"] = options;
  return out;
}

json::object Fraction(const char* name, const char* text) {
  json::object out = Parameter(name, "float", false, text);
  out["min_value"] = 0;
  out["max_value"] = 1;
  return out;
}

json::array EditParameters() {
  json::array out;
  out.push_back(
      Parameter("prompt", "string", true, "How to transform the source, 1-6000 characters"));
  out.push_back(Parameter("source_generation_id", "string", false, "A prior completed video"));
  out.push_back(Choice("resolution", {"540p", "720p", "1080p"}, "Output resolution"));
  out.push_back(Parameter("edit_auto_controls", "boolean", false, "Derive all conditioning"));
  out.push_back(Choice("edit_strength",
                       {"adhere_1", "adhere_2", "adhere_3", "flex_1", "flex_2", "flex_3",
                        "reimagine_1", "reimagine_2", "reimagine_3"},
                       "Preservation preset"));
  out.push_back(Choice("pose_strength", {"None", "precise", "coarse"}, "Pose conditioning"));
  out.push_back(Fraction("depth_blur", "Depth conditioning"));
  out.push_back(Fraction("normals_augmentation", "Surface normals conditioning"));
  out.push_back(Fraction("trajectory_sparsity", "Motion conditioning"));
  out.push_back(Parameter("face_enabled", "boolean", false, "Face identity conditioning"));
  out.push_back(Parameter("hdr", "boolean", false, "HDR output; 720p or 1080p"));
  out.push_back(Parameter("exr_export", "boolean", false, "EXR export; needs hdr"));
  out.push_back(Parameter("start_frame_url", "string", false, "One guide frame"));
  out.push_back(Parameter("source_data", "string", false, "Inline base64 source"));
  out.push_back(Parameter("source_media_type", "string", false, "MIME type of source_data"));
  return out;
}

}  // namespace

bool IsListedModel(const std::string& id) {
  for (const char* model : kListedModels) {
    if (id == model) return true;
  }
  return false;
}

Reply ListModels() {
  json::array ids;
  for (const char* model : kListedModels) ids.push_back(model);
  return JsonReply(200, json::object{{"model_ids", ids}});
}

Reply DescribeModel(const std::string& id) {
  if (!IsListedModel(id)) return ErrorReply(404, "model " + id + " does not exist");
  const bool edit = id == kEditModel;
  return JsonReply(
      200, json::object{{"model", id},
                        {"org_id", "luma"},
                        {"brief_description", "Simulated model"},
                        {"detailed_description", ""},
                        {"modalities", json::object{{"input", "video"}, {"output", "video"}}},
                        {"parameters", edit ? EditParameters() : json::array()},
                        {"price_info", json::object{{"price", 1080000},
                                                    {"pricing_type", "per_unit"},
                                                    {"unit", "5 seconds"}}},
                        {"pricing_details", ""},
                        {"host_type", "external"},
                        {"model_type", "video"},
                        {"tags", json::array()},
                        {"qworkers", 1},
                        {"created_at", 1781739030},
                        {"updated_at", 1781739030}});
}

}  // namespace lumaedit::simulator
